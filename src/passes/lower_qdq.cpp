#include "passes/lower_qdq.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/quantized.h"
#include "passes/clean.h"
#include "passes/pattern.h"

namespace athanor::passes {
namespace {

bool IsOp(const Graph& graph, NodeId id, std::string_view op) {
  return id != kNoNode && graph.node(id).op->name == op;
}

// Scale and zero point of a QuantizeLinear or DequantizeLinear that this pass can use: known now,
// f32 scales, per tensor or per axis. `quantized`: the value on the integer side.
std::optional<QuantPort> PortOf(const Graph& graph, const Node& node, ValueId quantized) {
  const Tensor* scale = graph.Constant(node.inputs[1]);
  if (scale == nullptr || scale->dtype() != DType::kF32 || scale->rank() > 1 || scale->count() < 1)
    return std::nullopt;
  if (AttributeOr<std::int64_t>(node, "block_size", 0) != 0) return std::nullopt;
  const Type& type = graph.value(quantized).type;
  const std::optional<IntRange> range = QuantRange(type.dtype);
  if (!range) return std::nullopt;
  QuantPort port = {.dtype = type.dtype};
  const auto scales = scale->Data<float>();
  port.scales.assign(scales.begin(), scales.end());
  port.zeros.assign(scales.size(), 0);
  if (node.inputs.size() > 2 && node.inputs[2] != kNoValue) {
    const Tensor* zero = graph.Constant(node.inputs[2]);
    if (zero == nullptr) return std::nullopt;
    const Result<std::vector<std::int64_t>> zeros = ToInts(*zero);
    if (!zeros.ok() || (zeros->size() != 1 && zeros->size() != port.zeros.size()))
      return std::nullopt;
    for (std::size_t i = 0; i < port.zeros.size(); ++i)
      port.zeros[i] = (*zeros)[zeros->size() == 1 ? 0 : i];
  }
  for (std::size_t i = 0; i < port.scales.size(); ++i) {
    if (!std::isfinite(port.scales[i]) || port.scales[i] <= 0) return std::nullopt;
    if (port.zeros[i] < range->low || port.zeros[i] > range->high) return std::nullopt;
  }
  if (port.per_tensor()) return port;
  if (!type.HasRank()) return std::nullopt;
  port.axis = AttributeOr<std::int64_t>(node, "axis", 0);
  if (port.axis < 0) port.axis += type.rank();
  if (port.axis < 0 || port.axis >= type.rank()) return std::nullopt;
  const Dim& length = type.dim(port.axis);
  if (!length.Is(std::ssize(port.scales))) return std::nullopt;
  return port;
}

// Operators whose outputs are elements of their inputs and nothing else: integers pass through them
// as real numbers do. Others of the data movers fill with zeros or add.
bool OnlyMoves(const OpDef& op) {
  constexpr std::string_view kMovers[] = {
      "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Pad",       "Reshape",
      "Slice",  "SpaceToDepth", "Split",  "Squeeze", "Tile",   "Transpose", "Unsqueeze"};
  return std::find(std::begin(kMovers), std::end(kMovers), op.name) != std::end(kMovers);
}

// Resize that shows an element of input 0 at every place; the other inputs say which.
bool PicksNearest(const Node& node) {
  return node.op->name == "Resize" && AttributeOr<std::string>(node, "mode", "") == "nearest" &&
         AttributeOr<std::string>(node, "coordinate_transformation_mode", "") !=
             "tf_crop_and_resize" &&
         AttributeOr<std::int64_t>(node, "exclude_outside", 0) == 0 &&
         AttributeOr<std::int64_t>(node, "antialias", 0) == 0;
}

// The limits of an activation that is a clamp; nothing for other nodes.
struct Limits {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};
std::optional<Limits> LimitsOf(const Graph& graph, const Node& node) {
  if (node.op->name == "Relu") return Limits{.low = 0};
  if (node.op->name != "Clip") return std::nullopt;
  Limits limits;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    const Tensor* limit = graph.Constant(node.inputs[i]);
    if (limit == nullptr || limit->dtype() != DType::kF32 || limit->count() != 1)
      return std::nullopt;
    (i == 1 ? limits.low : limits.high) = limit->Data<float>()[0];
  }
  if (std::isnan(limits.low) || std::isnan(limits.high) || limits.low > limits.high)
    return std::nullopt;
  return limits;
}

// The integer that a limit becomes. TFLite rounds halves of activation limits away from zero.
std::int64_t QuantizeLimit(double limit, const QuantPort& port, bool fixed31, IntRange range) {
  if (std::isinf(limit)) return limit < 0 ? range.low : range.high;
  if (!fixed31) return QuantizeOne(static_cast<float>(limit), port.scales[0], port.zeros[0], range);
  const double q = std::round(static_cast<float>(limit) / port.scales[0]);
  return static_cast<std::int64_t>(std::clamp(q + static_cast<double>(port.zeros[0]),
                                              static_cast<double>(range.low),
                                              static_cast<double>(range.high)));
}

// One QuantizeLinear and what comes before it.
class Lowering {
 public:
  Lowering(Graph& graph, const LowerQdqOptions& options, NodeId root)
      : graph_(graph), options_(options), root_(root) {}

  // Whether the graph changed.
  Result<bool> Run() {
    if (!ReadRoot() || !FindOperator()) return false;
    if (!ReadInputs()) return LowerProductBefore();
    if (IsMoved()) return Replace(op_->op->name, op_->attributes);
    if (!IsQuantizable()) return false;
    const std::string name = op_is_dequantize_ ? "Identity" : op_->op->name;
    const OpDef* def = graph_.catalog().Find(name);
    if (def == nullptr) return false;
    if (!spec_.fixed31() && (!options_.accepts || !options_.accepts(*def))) return false;
    AttrMap attributes = op_is_dequantize_ ? AttrMap() : op_->attributes;
    WriteQuantSpec(spec_, attributes);
    return Replace(name, std::move(attributes));
  }

 private:
  bool ReadRoot() {
    const Node& root = graph_.node(root_);
    if (root.attributes.Find("precision") != nullptr) return false;
    if (graph_.value(root.inputs[0]).type.dtype != DType::kF32) return false;
    std::optional<QuantPort> port = PortOf(graph_, root, root.outputs[0]);
    if (!port || !port->per_tensor() || port->dtype == DType::kI32) return false;
    const std::string arithmetic = AttributeOr<std::string>(root, "arithmetic", "");
    if (!arithmetic.empty()) spec_.arithmetic = arithmetic;
    spec_.outputs = {*std::move(port)};
    return true;
  }

  bool UsedOnce(ValueId id) const { return graph_.num_uses(id) == 1; }

  // Walks up over activations, which become limits of the integers: quantising is monotonic, so
  // clamping afterwards gives the same.
  bool FindOperator() {
    const QuantPort& port = spec_.outputs[0];
    const IntRange range = *QuantRange(port.dtype);
    QuantSpec::Clamp clamp = {range.low, range.high};
    ValueId at = graph_.node(root_).inputs[0];
    for (;;) {
      const NodeId producer = graph_.value(at).producer;
      if (producer == kNoNode) return false;
      const Node& node = graph_.node(producer);
      if (node.op->name == "Identity" && UsedOnce(at)) {  // a change of scale, or nothing
        at = node.inputs[0];
        continue;
      }
      const std::optional<Limits> limits =
          UsedOnce(at) ? LimitsOf(graph_, node) : std::optional<Limits>();
      if (!limits) {
        op_ = &node;
        result_ = at;
        break;
      }
      const std::int64_t low = QuantizeLimit(limits->low, port, spec_.fixed31(), range);
      const std::int64_t high = QuantizeLimit(limits->high, port, spec_.fixed31(), range);
      // A later clamp wins where they do not overlap.
      clamp.low = std::clamp(clamp.low, low, high);
      clamp.high = std::clamp(clamp.high, low, high);
      at = node.inputs[0];
    }
    if (clamp.low != range.low || clamp.high != range.high) spec_.clamp = clamp;
    op_is_dequantize_ = op_->op->name == "DequantizeLinear";
    return !HasQuantSpec(op_->attributes) && op_->bodies.empty();
  }

  bool IsQuantizable() const {
    // A pair alone is a change of scale, whoever else reads the real numbers.
    if (op_is_dequantize_) return true;
    return UsedOnce(result_) && op_->outputs.size() == 1 && op_->op->Has(kPure) &&
           op_->op->reference != nullptr && !op_->op->Has(kDataDependent);
  }

  bool ReadInputs() {
    if (op_is_dequantize_) return AddInput(op_->outputs[0]);
    bool any = false;
    for (const ValueId input : op_->inputs) {
      if (!AddInput(input)) return false;
      any = any || spec_.inputs.back().quantized();
    }
    return any;
  }

  bool AddInput(ValueId input) {
    const NodeId producer = input == kNoValue ? kNoNode : graph_.value(input).producer;
    if (IsOp(graph_, producer, "DequantizeLinear")) {
      const Node& node = graph_.node(producer);
      std::optional<QuantPort> port = PortOf(graph_, node, node.inputs[0]);
      if (!port || graph_.value(input).type.dtype != DType::kF32) return false;
      spec_.inputs.push_back(*std::move(port));
      inputs_.push_back(node.inputs[0]);
      return true;
    }
    const bool real = input != kNoValue && graph_.Constant(input) == nullptr &&
                      IsFloat(graph_.value(input).type.dtype);
    spec_.inputs.emplace_back();
    inputs_.push_back(input);
    return !real;
  }

  // Q(f(product(DQ(x), DQ(w)))): the product reads integers, and f gives some.
  Result<bool> LowerProductBefore() {
    if (!options_.may_end_with || spec_.fixed31() || !IsQuantizable()) return false;
    const auto real = std::find_if(op_->inputs.begin(), op_->inputs.end(), [&](ValueId input) {
      return input != kNoValue && graph_.Constant(input) == nullptr;
    });
    if (real == op_->inputs.end()) return false;
    const auto through = static_cast<std::size_t>(real - op_->inputs.begin());
    const NodeId before = graph_.value(*real).producer;
    if (before == kNoNode || !UsedOnce(*real)) return false;
    const Node& product = graph_.node(before);
    if (!options_.may_end_with(*product.op, *op_->op) || product.outputs.size() != 1 ||
        HasQuantSpec(product.attributes))
      return false;
    Lowering inner(graph_, options_, before);
    inner.op_ = &product;
    inner.spec_.outputs = {QuantPort()};
    if (!inner.ReadInputs()) return false;
    spec_.inputs.assign(op_->inputs.size(), QuantPort());
    inputs_ = op_->inputs;
    AttrMap attributes = product.attributes, of_function = op_->attributes;
    WriteQuantSpec(inner.spec_, attributes);
    WriteQuantSpec(spec_, of_function);
    const std::string name = product.op->name, function = op_->op->name, of = product.name;
    ATH_TRY(inputs_[through], graph_.Add(name, inner.inputs_, std::move(attributes), of));
    op_ = &graph_.node(graph_.value(result_).producer);  // nodes have moved
    return Replace(function, std::move(of_function));
  }

  // The operator moves integers as well as it moves real numbers.
  bool IsMoved() {
    if (spec_.clamp) return false;
    const QuantPort& out = spec_.outputs[0];
    if (op_is_dequantize_) return spec_.inputs[0] == out;
    const bool nearest = PicksNearest(*op_);
    if (!nearest && !OnlyMoves(*op_->op)) return false;
    for (std::size_t i = 0; i < (nearest ? 1 : inputs_.size()); ++i) {
      const QuantPort& in = spec_.inputs[i];
      if (in.quantized() ? !(in == out)
                         : inputs_[i] != kNoValue && IsFloat(graph_.value(inputs_[i]).type.dtype))
        return false;
    }
    return FillWithZero();
  }

  // An operator that fills with 0 unless told otherwise must fill with the integer of 0.
  bool FillWithZero() {
    const QuantPort& out = spec_.outputs[0];
    if (out.zeros[0] == 0) return true;
    const auto& ports = op_->op->inputs;
    const auto at = static_cast<std::size_t>(
        std::find_if(ports.begin(), ports.end(),
                     [](const Port& port) { return port.name == "constant_value"; }) -
        ports.begin());
    if (at == ports.size()) return true;
    Result<Tensor> zero = Quantize(Tensor::Scalar(0.0F), out);
    if (!zero.ok()) return false;
    inputs_.resize(std::max(inputs_.size(), at + 1), kNoValue);
    inputs_[at] = graph_.AddConstant(*std::move(zero));
    return true;
  }

  Result<bool> Replace(std::string_view name, AttrMap attributes) {
    const ValueId old = graph_.node(root_).outputs[0];
    if (op_is_dequantize_ && !HasQuantSpec(attributes)) {
      graph_.ReplaceUses(old, inputs_[0]);
      return true;
    }
    Graph::NewNode node = {.op = name,
                           .inputs = inputs_,
                           .attributes = std::move(attributes),
                           .name = op_is_dequantize_ ? graph_.node(root_).name : op_->name};
    std::size_t output = 0;
    if (!op_is_dequantize_) {
      node.num_outputs = op_->outputs.size();
      for (const ValueId id : op_->outputs) node.omitted_outputs.push_back(id == kNoValue);
      output = static_cast<std::size_t>(
          std::find(op_->outputs.begin(), op_->outputs.end(), result_) - op_->outputs.begin());
    }
    node.output_names.resize(output + 1);
    node.output_names[output] = graph_.value(old).name;
    ATH_TRY(const NodeId added, graph_.AddNode(std::move(node)));
    graph_.ReplaceUses(old, graph_.node(added).outputs[output]);
    return true;
  }

  Graph& graph_;
  const LowerQdqOptions& options_;
  NodeId root_;
  const Node* op_ = nullptr;
  ValueId result_ = kNoValue;  // of the operator
  bool op_is_dequantize_ = false;
  QuantSpec spec_;
  std::vector<ValueId> inputs_;
};

// Q(Min(x, limits)) ==> Min(Q(x), Q(limits)): rounding is monotonic.
Status QuantizeBeforeLimits(Graph& graph, NodeId id) {
  const Node& root = graph.node(id);
  const NodeId producer = graph.value(root.inputs[0]).producer;
  if (!IsOp(graph, producer, "Min") || graph.num_uses(root.inputs[0]) != 1) return {};
  const Node& min = graph.node(producer);
  if (min.inputs.size() != 2) return {};
  const std::size_t at = graph.Constant(min.inputs[1]) != nullptr ? 1 : 0;
  const Tensor* limits = graph.Constant(min.inputs[at]);
  const std::optional<QuantPort> port = PortOf(graph, root, root.outputs[0]);
  if (limits == nullptr || limits->dtype() != DType::kF32 || !port || !port->per_tensor() ||
      (port->dtype != DType::kU8 && port->dtype != DType::kI8) ||
      root.attributes.Find("precision") != nullptr ||
      std::ranges::any_of(limits->Data<float>(), [](float limit) { return std::isnan(limit); }))
    return {};
  ATH_TRY(Tensor integers, Quantize(*limits, *port));
  Graph::NewNode quantize = {.op = "QuantizeLinear",
                             .inputs = root.inputs,
                             .attributes = root.attributes,
                             .name = root.name};
  quantize.inputs[0] = min.inputs[1 - at];
  const std::string name = min.name;
  const ValueId old = root.outputs[0];
  ATH_TRY(const NodeId added, graph.AddNode(std::move(quantize)));
  const ValueId constant = graph.AddConstant(std::move(integers));
  ATH_TRY(const ValueId limited,
          graph.Add("Min", {graph.node(added).outputs[0], constant}, {}, name));
  graph.SetName(limited, graph.value(old).name);
  graph.ReplaceUses(old, limited);
  return {};
}

}  // namespace

Result<int> LowerQdq(Graph& graph, const LowerQdqOptions& options) {
  ATH_TRY(const std::vector<NodeId> before, graph.Order());
  for (const NodeId id : before) {
    if (IsOp(graph, id, "QuantizeLinear") && graph.node(id).outputs[0] != kNoValue)
      ATH_RETURN_IF_ERROR(QuantizeBeforeLimits(graph, id));
  }
  ATH_RETURN_IF_ERROR(EraseDeadNodes(graph).status());
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  int count = 0;
  for (const NodeId id : order) {
    if (!IsOp(graph, id, "QuantizeLinear") || graph.node(id).outputs[0] == kNoValue) continue;
    Lowering lowering(graph, options, id);
    ATH_TRY(const bool changed, lowering.Run());
    if (changed) ++count;
  }
  if (count == 0) return 0;
  // Every output of a Split was lowered on its own.
  ATH_RETURN_IF_ERROR(MergeEqualNodes(graph).status());
  ATH_RETURN_IF_ERROR(EraseDeadNodes(graph).status());
  return count;
}

}  // namespace athanor::passes
