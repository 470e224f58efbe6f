#include "frontends/tabular/columns.h"

#include <unordered_set>

#include "core/text.h"

namespace athanor::tabular {

Tensor NumbersTensor(DType dtype, std::span<const double> values) {
  const Dims dims = {static_cast<std::int64_t>(values.size())};
  if (dtype == DType::kF64)
    return Tensor::FromVector(dims, std::vector<double>(values.begin(), values.end()));
  std::vector<float> floats;
  floats.reserve(values.size());
  for (const double value : values) floats.push_back(static_cast<float>(value));
  return Tensor::FromVector(dims, floats);
}

Tensor NumberScalar(DType dtype, double value) {
  return NumbersTensor(dtype, std::span(&value, 1)).Reshaped({});
}

Type ColumnType(DType dtype) { return Type::Tensor(dtype, {Dim::Symbol("N"), 1}); }

namespace {

Result<ValueId> Encode(Graph& graph, ValueId column, DType dtype, Tensor keys, double unknown) {
  std::vector<double> codes(static_cast<std::size_t>(keys.count()));
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<double>(i);
  return graph.Add("LabelEncoder", {column},
                   {{"keys_tensor", std::move(keys)},
                    {"values_tensor", NumbersTensor(dtype, codes)},
                    {"default_tensor", NumberScalar(dtype, unknown).Reshaped({1})}},
                   graph.value(column).name + ".code");
}

}  // namespace

Result<ValueId> CodesOfStrings(Graph& graph, ValueId column, DType dtype,
                               const std::vector<std::string>& categories, double unknown) {
  return Encode(graph, column, dtype,
                Tensor::FromVector({static_cast<std::int64_t>(categories.size())}, categories),
                unknown);
}

Result<ValueId> CodesOfNumbers(Graph& graph, ValueId column, const std::vector<double>& categories,
                               double unknown) {
  const DType dtype = graph.value(column).type.dtype;
  return Encode(graph, column, dtype, NumbersTensor(dtype, categories), unknown);
}

Result<ValueId> SideBySide(Graph& graph, const std::vector<ValueId>& columns) {
  if (columns.size() == 1) return columns[0];
  return graph.Add("Concat", columns, {{"axis", std::int64_t{1}}}, "columns");
}

Status CheckNames(const std::vector<std::string>& names) {
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (name.empty()) return InvalidModel("a feature has no name");
    if (!seen.insert(name).second)
      return InvalidModel("feature {} stands twice in the list of features", Quote(name));
  }
  return {};
}

}  // namespace athanor::tabular
