// The variables of a SavedModel: an index (PREFIX.index) and shards (PREFIX.data-NNNNN-of-NNNNN).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/file.h"
#include "core/tensor.h"
#include "frontends/tensorflow/schema.h"

namespace athanor::tensorflow {

class Bundle {
 public:
  static Result<Bundle> Open(const std::string& prefix);

  bool Has(const std::string& key) const { return entries_.count(key) != 0; }
  // The tensor as it lies in the mapped shard.
  Result<Tensor> Find(const std::string& key) const;

 private:
  std::map<std::string, std::string> entries_;  // key -> BundleEntry
  std::vector<std::shared_ptr<const MappedFile>> shards_;
};

}  // namespace athanor::tensorflow
