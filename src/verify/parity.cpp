#include "verify/parity.h"

#include <algorithm>

namespace athanor {
namespace {

std::vector<std::string> InputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  return names;
}

std::vector<std::string> OutputNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) names.push_back(output.name);
  return names;
}

}  // namespace

Result<std::vector<std::size_t>> MatchByName(const std::vector<std::string>& left,
                                             const std::vector<std::string>& right,
                                             std::string_view what) {
  if (left.size() != right.size()) {
    return Error(ErrorCode::kInvalidInput, "one model has {} {}s, the other {}", left.size(), what,
                 right.size());
  }
  constexpr std::size_t kNone = SIZE_MAX;
  std::vector<std::size_t> match(left.size(), kNone);
  std::vector<bool> used(right.size(), false);
  for (std::size_t i = 0; i < left.size(); ++i) {
    for (std::size_t k = 0; k < right.size() && match[i] == kNone; ++k) {
      if (used[k] || left[i] != right[k]) continue;
      match[i] = k;
      used[k] = true;
    }
  }
  for (std::size_t& position : match) {
    if (position != kNone) continue;
    position = static_cast<std::size_t>(std::find(used.begin(), used.end(), false) - used.begin());
    used[position] = true;
  }
  return match;
}

Result<Parity> CheckParity(Session& actual, Session& expected, std::vector<Datum> inputs,
                           const Tolerance& tolerance) {
  ATH_TRY(const std::vector<std::size_t> input_of,
          MatchByName(InputNames(actual.graph()), InputNames(expected.graph()), "input"));
  ATH_TRY(const std::vector<std::size_t> output_of,
          MatchByName(OutputNames(expected.graph()), OutputNames(actual.graph()), "output"));
  std::vector<Datum> actual_inputs;
  for (const std::size_t i : input_of) actual_inputs.push_back(inputs[i]);
  ATH_TRY(const std::vector<Datum> wanted, expected.Run(std::move(inputs)));
  ATH_TRY(const std::vector<Datum> given, actual.Run(std::move(actual_inputs)));
  Parity parity;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::string& name = expected.graph().outputs()[i].name;
    parity.outputs.push_back({name, Compare(given[output_of[i]], wanted[i], tolerance)});
    const Difference& difference = parity.outputs.back().difference;
    if (difference.pass || !parity.pass) continue;
    parity.pass = false;
    parity.reason = fmt::format("output \"{}\": {}", name, difference.reason);
  }
  return parity;
}

}  // namespace athanor
