#include "frontends/pmml/training_instances.h"

#include <cmath>
#include <iterator>

#include "core/text.h"
#include "frontends/pmml/expression.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostTrainingCells = std::size_t{1} << 26;

}  // namespace

Result<TrainingTable> TrainingTable::Read(const Element& model) {
  TrainingTable made;
  const Element instances = model.child("TrainingInstances");
  const Element table = instances.child("InlineTable");
  if (!table) return Unsupported("training instances that are not in an <InlineTable>");
  const auto rows = table.children("row");
  made.rows_ = static_cast<std::size_t>(std::distance(rows.begin(), rows.end()));
  std::size_t cells = 0;
  for (const Element& field : instances.child("InstanceFields").children("InstanceField")) {
    const std::string_view name = Text(field, "field"), given = Text(field, "column");
    const std::string_view column = given.empty() ? name : given;
    cells += made.rows_;
    if (cells > kMostTrainingCells)
      return Error(ErrorCode::kResource, "the training table is too large");
    Cells& texts = made.columns_[std::string(name)];
    for (const Element& row : rows) texts.push_back(CellOf(row, column));
    if (texts.size() > made.rows_)
      return InvalidModel("two <InstanceField>s are called {}", Quote(name));
  }
  if (made.rows_ == 0) return InvalidModel("there are no training instances");
  return made;
}

Result<const TrainingTable::Cells*> TrainingTable::ColumnOf(std::string_view field) const {
  const auto found = columns_.find(field);
  if (found != columns_.end()) return &found->second;
  return InvalidModel("the training table has no field {}", Quote(field));
}

Result<std::vector<double>> TrainingTable::NumbersOf(std::string_view name,
                                                     const Field& field) const {
  ATH_TRY(const Cells* texts, ColumnOf(name));
  std::vector<double> values;
  for (const std::optional<std::string>& text : *texts) {
    double value = std::nan("");
    if (text) {
      ATH_TRY(value, ValueIn(field, *text));
    }
    values.push_back(value);
  }
  return values;
}

}  // namespace athanor::pmml
