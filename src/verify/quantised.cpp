#include "verify/quantised.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace athanor {
namespace {

using Quantised = TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t>;

// Operators that put elements elsewhere and leave their values alone.
bool OnlyMoves(std::string_view op) {
  constexpr std::string_view kMoves[] = {"Transpose", "Reshape", "Squeeze",
                                         "Unsqueeze", "Flatten", "Identity"};
  return std::find(std::begin(kMoves), std::end(kMoves), op) != std::end(kMoves);
}

bool ReadsNoElements(std::string_view op) { return op == "Shape" || op == "Size"; }

std::optional<double> OneNumber(const Graph& graph, const Node& node, std::size_t port) {
  if (port >= node.inputs.size() || node.inputs[port] == kNoValue) return 0;
  const Tensor* constant = graph.Constant(node.inputs[port]);
  if (constant == nullptr || constant->count() != 1) return std::nullopt;
  const Result<std::vector<double>> numbers = ToDoubles(*constant);
  if (!numbers.ok()) return std::nullopt;
  return numbers->front();
}

std::optional<IntegerScale> ScaleOf(const Graph& graph, const Node& node) {
  const std::optional<double> scale = OneNumber(graph, node, 1), zero = OneNumber(graph, node, 2);
  if (!scale || !zero || !std::isfinite(*scale + *zero) || *scale <= 0) return std::nullopt;
  return IntegerScale{*scale, *zero};
}

// The first node of this operator that reads the input, with nothing but moves between.
const Node* ReaderOf(const Graph& graph, ValueId input, std::string_view op) {
  std::vector<ValueId> moved = {input};  // each is made from one before it: no cycle
  for (std::size_t i = 0; i < moved.size(); ++i) {
    for (const NodeId user : graph.value(moved[i]).users) {
      const Node& node = graph.node(user);
      if (node.inputs[0] != moved[i]) continue;
      if (node.op->name == op) return &node;
      if (OnlyMoves(node.op->name)) moved.push_back(node.outputs[0]);
    }
  }
  return nullptr;
}

bool IsOutput(const Graph& graph, ValueId value) {
  return std::ranges::any_of(graph.outputs(),
                             [&](const GraphOutput& output) { return output.value == value; });
}

// The QuantizeLinears through which every use of this input's elements goes, with nothing but moves
// between; none where there is another use.
std::vector<const Node*> QuantizersOf(const Graph& graph, ValueId input) {
  std::vector<const Node*> quantizers;
  std::vector<ValueId> moved = {input};  // each is made from one before it: no cycle
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (IsOutput(graph, moved[i])) return {};
    for (const NodeId user : graph.value(moved[i]).users) {
      const Node& node = graph.node(user);
      const std::string_view op = node.op->name;
      if (ReadsNoElements(op)) continue;
      if (node.inputs[0] != moved[i] || (op != "QuantizeLinear" && !OnlyMoves(op))) return {};
      if (OnlyMoves(op))
        moved.push_back(node.outputs[0]);
      else
        quantizers.push_back(&node);
    }
  }
  return quantizers;
}

// Of the integers on the one side of this node.
std::optional<RealRange> RangeOf(const Graph& graph, const Node& node, DType dtype) {
  const std::optional<IntegerScale> scale = ScaleOf(graph, node);
  if (!scale) return std::nullopt;
  RealRange range = {.step = scale->scale};
  const Status known = Dispatch(Quantised{}, dtype, [&](auto tag) -> Status {
    using Limits = std::numeric_limits<typename decltype(tag)::Type>;
    range.low = (Limits::lowest() - scale->zero_point) * scale->scale;
    range.high = (Limits::max() - scale->zero_point) * scale->scale;
    return {};
  });
  if (!known.ok()) return std::nullopt;
  return range;
}

}  // namespace

std::optional<IntegerScale> ScaleOfInput(const Graph& graph, ValueId input) {
  const Node* const node = ReaderOf(graph, input, "DequantizeLinear");
  return node == nullptr ? std::nullopt : ScaleOf(graph, *node);
}

std::optional<RealRange> RangeOfInput(const Graph& graph, ValueId input) {
  const DType dtype = graph.value(input).type.dtype;
  if (!IsFloat(dtype)) {
    const Node* const node = ReaderOf(graph, input, "DequantizeLinear");
    return node == nullptr ? std::nullopt : RangeOf(graph, *node, dtype);
  }
  std::optional<RealRange> widest;
  for (const Node* node : QuantizersOf(graph, input)) {
    const std::optional<RealRange> one =
        RangeOf(graph, *node, graph.value(node->outputs[0]).type.dtype);
    if (!one) return std::nullopt;
    if (!widest) widest = one;
    // Two that overlap: only what lies outside both is clipped by both.
    *widest = {.low = std::min(widest->low, one->low),
               .high = std::max(widest->high, one->high),
               .step = std::max(widest->step, one->step)};
  }
  return widest;
}

std::optional<IntegerScale> ScaleOfOutput(const Graph& graph, ValueId output) {
  for (ValueId at = output; graph.value(at).producer != kNoNode;) {
    const Node& node = graph.node(graph.value(at).producer);
    if (node.op->name == "QuantizeLinear") return ScaleOf(graph, node);
    if (!OnlyMoves(node.op->name) || node.inputs.empty()) break;
    at = node.inputs[0];
  }
  return std::nullopt;
}

Result<Tensor> ToReal(const Tensor& integers, const IntegerScale& scale) {
  ATH_TRY(const std::vector<double> values, ToDoubles(integers));
  ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, integers.dims()));
  std::transform(
      values.begin(), values.end(), real.MutableData<float>().begin(),
      [&](double value) { return static_cast<float>((value - scale.zero_point) * scale.scale); });
  return real;
}

Result<Tensor> ToIntegers(const Tensor& real, DType dtype, const IntegerScale& scale) {
  ATH_TRY(const std::vector<double> values, ToDoubles(real));
  ATH_TRY(Tensor integers, Tensor::Allocate(dtype, real.dims()));
  ATH_RETURN_IF_ERROR(Dispatch(Quantised{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    constexpr double kLow = std::numeric_limits<T>::lowest(), kHigh = std::numeric_limits<T>::max();
    std::transform(values.begin(), values.end(), integers.MutableData<T>().begin(),
                   [&](double value) {
                     const double step = std::nearbyint(value / scale.scale) + scale.zero_point;
                     // What is no number has no step; the zero point is 0.
                     return static_cast<T>(
                         std::clamp(std::isnan(step) ? scale.zero_point : step, kLow, kHigh));
                   });
    return {};
  }));
  return integers;
}

std::string ToText(const IntegerScale& scale, DType integer) {
  return fmt::format("{} {:g} is 0, a step is {:g}", Name(integer), scale.zero_point, scale.scale);
}

}  // namespace athanor
