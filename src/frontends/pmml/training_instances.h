// The training data that some models carry along: an <InlineTable> whose columns are fields.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "frontends/pmml/fields.h"

namespace athanor::pmml {

class TrainingTable {
 public:
  using Cells = std::vector<std::optional<std::string>>;

  // The <TrainingInstances> of a model.
  static Result<TrainingTable> Read(const Element& model);

  std::size_t rows() const { return rows_; }
  // The texts of a field's column; nothing where a cell is missing.
  Result<const Cells*> ColumnOf(std::string_view field) const;
  // The same as numbers of the field.
  Result<std::vector<double>> NumbersOf(std::string_view name, const Field& field) const;

 private:
  std::size_t rows_ = 0;
  std::map<std::string, Cells, std::less<>> columns_;
};

}  // namespace athanor::pmml
