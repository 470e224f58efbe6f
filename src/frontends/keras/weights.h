// The weights of a layer, which two kinds of files keep in different places.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontends/hdf5/file.h"

namespace athanor::keras {

// The variables of one layer or of a part of it. Cheap to copy.
class Weights {
 public:
  Weights() = default;
  // Of .keras: variables are numbered in groups "PATH/vars", sublayers are groups below.
  static Weights Numbered(std::shared_ptr<const hdf5::File> file, std::string path);
  // Of .h5: GROUP has a group for each layer, which lists the names of all variables below it.
  static Weights Named(std::shared_ptr<const hdf5::File> file, std::string group);

  // A variable by its number among the layer's own, and by its name.
  Result<Tensor> Find(std::size_t number, std::string_view name) const;
  // All variables of the layer itself, in the order of the file.
  Result<std::vector<Tensor>> All() const;
  // A part: an attribute of the layer in .keras, a component of the variables' names in .h5.
  Weights Part(std::string_view attribute, std::string_view component) const;
  bool is_numbered() const { return is_numbered_; }
  // No names were found for it; never so in .keras.
  bool has_no_names() const { return !is_numbered_ && names_.empty(); }

 private:
  std::shared_ptr<const hdf5::File> file_;
  bool is_numbered_ = true;
  bool is_root_ = false;  // of .h5: its parts are the layers' groups
  std::string path_;
  std::vector<std::string> names_;
};

}  // namespace athanor::keras
