#include "ir/check_inputs.h"

#include <map>

namespace athanor {
namespace {

using Symbols = std::map<std::string, std::int64_t>;

Status Mismatch(const Type& expected, const Datum& given, std::string_view why) {
  return Error(ErrorCode::kInvalidInput, "{} is given, {} is expected{}",
               given.IsAbsent() ? "nothing" : Type::Of(given).ToString(), expected.ToString(), why);
}

Status CheckTensor(const Type& type, const Datum& given, Symbols& symbols) {
  if (!given.IsTensor() || given.tensor().dtype() != type.dtype) return Mismatch(type, given, "");
  if (!type.HasRank()) return {};
  const Dims& dims = given.tensor().dims();
  if (static_cast<std::int64_t>(dims.size()) != type.rank()) return Mismatch(type, given, "");
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const Dim& dim = (*type.shape)[i];
    if (dim.IsConst() && dim.value() != dims[i]) return Mismatch(type, given, "");
    std::vector<std::string> names;
    dim.CollectSymbols(names);
    const bool is_symbol = names.size() == 1 && dim == Dim::Symbol(names[0]);
    if (!is_symbol) continue;
    const auto [known, added] = symbols.emplace(names[0], dims[i]);
    if (!added && known->second != dims[i]) {
      return Mismatch(type, given,
                      fmt::format(" and {} is {} in another input", names[0], known->second));
    }
  }
  return {};
}

}  // namespace

Status CheckInputs(const Graph& graph, std::span<const Datum> inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return Error(ErrorCode::kInvalidInput, "{} inputs are given; {} are expected", inputs.size(),
                 graph.inputs().size());
  }
  Symbols symbols;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.value(graph.inputs()[i]);
    Status status;
    if (value.type.IsTensor()) status = CheckTensor(value.type, inputs[i], symbols);
    if (value.type.kind == TypeKind::kSequence && !inputs[i].IsSequence())
      status = Mismatch(value.type, inputs[i], "");
    if (!status.ok()) return std::move(status).In(fmt::format("input \"{}\"", value.name));
  }
  return {};
}

}  // namespace athanor
