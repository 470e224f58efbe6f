// Inputs come from people: every mismatch is named.
#include <algorithm>
#include <map>

#include "core/text.h"
#include "runtime/session.h"

namespace athanor {
namespace {

Status Mismatch(const Value& input, const std::string& given) {
  return Error(ErrorCode::kInvalidInput, "input \"{}\": {} is expected, {} is given", input.name,
               input.type.ToString(), given);
}

// Kinds and element types, at every depth. Shapes may differ from item to item.
bool Matches(const Type& expected, const Datum& given) {
  switch (expected.kind) {
    case TypeKind::kAbsent:
      return true;  // the model does not say
    case TypeKind::kTensor:
      return given.IsTensor() && given.tensor().dtype() == expected.dtype;
    case TypeKind::kOptional:
      return given.IsAbsent() || expected.element == nullptr || Matches(*expected.element, given);
    case TypeKind::kSequence:
      break;
  }
  return given.IsSequence() &&
         (expected.element == nullptr ||
          std::all_of(given.items().begin(), given.items().end(),
                      [&](const Datum& item) { return Matches(*expected.element, item); }));
}

// `symbols` collects the sizes that symbols take, to see whether inputs agree about them.
Status CheckShape(const Value& input, const Tensor& tensor,
                  std::map<std::string, std::pair<std::int64_t, std::string>>& symbols) {
  if (!input.type.shape) return {};
  const Shape& shape = *input.type.shape;
  if (shape.size() != tensor.dims().size()) return Mismatch(input, Type::Of(tensor).ToString());
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t size = tensor.dims()[i];
    if (shape[i].IsConst() && shape[i].value() != size)
      return Mismatch(input, Type::Of(tensor).ToString());
    const std::string name = shape[i].ToString();
    if (shape[i].IsConst() || shape[i].IsUnknown()) continue;
    const auto [known, is_new] = symbols.emplace(name, std::pair(size, input.name));
    if (!is_new && known->second.first != size) {
      return Error(
          ErrorCode::kInvalidInput,
          "input \"{}\": dimension {} is called {} and is {}, but it is {} in input \"{}\"",
          input.name, i, name, size, known->second.first, known->second.second);
    }
  }
  return {};
}

}  // namespace

Status CheckInputs(const Graph& graph, const std::vector<Datum>& inputs) {
  if (inputs.size() != graph.inputs().size()) {
    return Error(ErrorCode::kInvalidInput, "{} inputs are given; {} are expected", inputs.size(),
                 graph.inputs().size());
  }
  std::map<std::string, std::pair<std::int64_t, std::string>> symbols;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& input = graph.value(graph.inputs()[i]);
    const Datum& given = inputs[i];
    if (!input.type.IsTensor()) {
      if (!Matches(input.type, given)) return Mismatch(input, Type::Of(given).ToString());
      continue;
    }
    if (!given.IsTensor() || given.tensor().dtype() != input.type.dtype)
      return Mismatch(input, Type::Of(given).ToString());
    ATH_RETURN_IF_ERROR(CheckShape(input, given.tensor(), symbols));
  }
  return {};
}

Result<std::vector<Datum>> OrderInputs(const Graph& graph,
                                       std::vector<std::pair<std::string, Datum>> named) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  std::vector<Datum> ordered(names.size());
  std::vector<bool> filled(names.size(), false);
  std::vector<Status> problems;
  for (auto& [name, datum] : named) {
    const auto at =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    if (at == names.size()) {
      problems.push_back(Error(ErrorCode::kUnknownName, "there is no input \"{}\"{}", name,
                               DidYouMean(name, names)));
      continue;
    }
    if (filled[at]) {
      problems.push_back(
          Error(ErrorCode::kInvalidInput, "input \"{}\" is given more than once", name));
    }
    ordered[at] = std::move(datum);
    filled[at] = true;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (filled[i]) continue;
    problems.push_back(Error(ErrorCode::kInvalidInput, "input \"{}\" ({}) is missing", names[i],
                             graph.value(graph.inputs()[i]).type.ToString()));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  return ordered;
}

}  // namespace athanor
