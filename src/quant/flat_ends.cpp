#include "quant/flat_ends.h"

#include <algorithm>
#include <cmath>

#include "ir/evaluate.h"

namespace athanor::quant {
namespace {

constexpr std::size_t kPlaces = 1024;  // at which the activation is looked at
// At either end less than this is left alone: a slope is no flat end.
constexpr std::size_t kWorthIt = kPlaces / 20;

// The activation by itself, on a row of numbers.
Result<std::vector<float>> Answers(const Graph& graph, const Node& node,
                                   const std::vector<float>& numbers) {
  std::vector<Datum> inputs = {Datum(Tensor::FromVector<float>({std::ssize(numbers)}, numbers))};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Tensor* constant = graph.Constant(node.inputs[i]);
    inputs.push_back(constant == nullptr ? Datum() : Datum(*constant));
  }
  ATH_TRY(const std::vector<Datum> values, EvaluateNode(node, inputs));
  const std::span<const float> found = values[0].tensor().Data<float>();
  return std::vector<float>(found.begin(), found.end());
}

// How many numbers from the front stand for one of about the same value: the last of them.
std::size_t FlatUntil(std::span<const float> values, double most) {
  std::size_t last = 0;
  float least = values[0], largest = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) {
    least = std::min(least, values[i]);
    largest = std::max(largest, values[i]);
    const bool flat = static_cast<double>(largest) - values[i] <= most &&
                      static_cast<double>(values[i]) - least <= most;
    if (!flat) break;
    last = i;
  }
  return last;
}

Status DrawIn(const Graph& graph, const Node& node, const Range& result, Calibrated& before) {
  const Range range = {std::min(before.range.low, 0.0F), std::max(before.range.high, 0.0F)};
  const double width = static_cast<double>(range.high) - range.low;
  if (!(width > 0) || !std::isfinite(width)) return {};
  std::vector<float> numbers(kPlaces);
  for (std::size_t i = 0; i < kPlaces; ++i)
    numbers[i] = static_cast<float>(range.low + width * static_cast<double>(i) / (kPlaces - 1));
  ATH_TRY(std::vector<float> values, Answers(graph, node, numbers));
  if (values.size() != kPlaces) return {};
  const double half = ScaleFor(result).scale / 2.0;
  const std::size_t low = FlatUntil(values, half);
  std::ranges::reverse(values);
  const std::size_t high = FlatUntil(values, half);
  if (low + high >= kPlaces - 1) return {};  // it gives one value only
  if (low < kWorthIt && high < kWorthIt) return {};
  if (low >= kWorthIt) before.range.low = std::min(numbers[low], 0.0F);
  if (high >= kWorthIt) before.range.high = std::max(numbers[kPlaces - 1 - high], 0.0F);
  if (before.range.symmetric) before.range = Mirrored(before.range);
  before.method += ", flat ends left out";
  return {};
}

}  // namespace

Status LeaveFlatEndsOut(const Graph& graph, const Candidates& candidates,
                        Calibration& calibration) {
  std::set<ValueId> made;
  for (const Candidate& c : candidates.nodes) {
    const Node& node = graph.node(c.node);
    // One tensor in, no weights, bytes of its own: a table of 256 results.
    const bool is_table = !c.weights && !c.shares_scale && c.activations.size() == 1 &&
                          (node.op->traits & kElementwise) != 0 && c.activations[0] == 0;
    const ValueId data = node.inputs[0];
    const auto before = calibration.find(data), after = calibration.find(c.result);
    if (is_table && made.contains(data) && graph.num_uses(data) == 1 &&
        before != calibration.end() && after != calibration.end())
      ATH_RETURN_IF_ERROR(DrawIn(graph, node, after->second.range, before->second));
    if (!c.shares_scale) made.insert(c.result);
  }
  return {};
}

}  // namespace athanor::quant
