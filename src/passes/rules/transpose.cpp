// Transposes move below what treats all positions alike, towards the next Transpose, with which
// they become one or none: networks that keep pictures as NHWC lose nearly all of them.
#include <algorithm>
#include <numeric>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;

// The permutation, when the value is made by a Transpose that says it.
std::optional<Ints> PermutationOf(const Graph& graph, ValueId id) {
  if (id == kNoValue || graph.value(id).producer == kNoNode) return std::nullopt;
  const Node& node = graph.node(graph.value(id).producer);
  if (node.op->name != "Transpose") return std::nullopt;
  const AttrValue* perm = node.attributes.Find("perm");
  if (perm == nullptr) return std::nullopt;
  return std::get<Ints>(*perm);
}

ValueId SourceOf(const Graph& graph, ValueId transposed) {
  return graph.node(graph.value(transposed).producer).inputs[0];
}

// Scales of several values belong to an axis, which stays where it is.
bool HasOneScale(const Graph& graph, const Node& node) {
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId input) {
    const Tensor* constant = graph.Constant(input);
    return input == kNoValue || (constant != nullptr && constant->count() == 1);
  });
}

// A value that is another one turned; between the two integers may become real numbers. Transposes
// stay on the side of the integers: they are smaller there, and DequantizeLinear stays beside the
// operator that reads it, with which it is lowered.
struct Turned {
  Ints perm;
  ValueId transposed = kNoValue;
  NodeId dequantize = kNoNode;
};

std::optional<Turned> TurnedOf(const Graph& graph, ValueId id) {
  if (id == kNoValue || graph.value(id).producer == kNoNode) return std::nullopt;
  Turned turned = {.perm = {}, .transposed = id};
  const NodeId producer = graph.value(id).producer;
  const Node& node = graph.node(producer);
  if (node.op->name == "DequantizeLinear" && HasOneScale(graph, node)) {
    turned.transposed = node.inputs[0];
    turned.dequantize = producer;
  }
  std::optional<Ints> perm = PermutationOf(graph, turned.transposed);
  if (!perm) return std::nullopt;
  turned.perm = *std::move(perm);
  return turned;
}

bool IsUsedOnce(const Graph& graph, ValueId id, const Turned& turned) {
  return graph.num_uses(id) == 1 && graph.num_uses(turned.transposed) == 1;
}

// The value before it was turned.
Expr Unturned(Builder& g, const Turned& turned) {
  const Expr source = g.Give(SourceOf(g.graph(), turned.transposed));
  if (turned.dequantize == kNoNode) return source;
  const Node& node = g.graph().node(turned.dequantize);
  std::vector<Expr> inputs = {source};
  for (std::size_t i = 1; i < node.inputs.size(); ++i) inputs.push_back(g.Give(node.inputs[i]));
  const AttrMap attributes = node.attributes;
  return g.Op("DequantizeLinear", std::move(inputs), attributes);
}

Ints Inverse(const Ints& perm) {
  Ints inverse(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i)
    inverse[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  return inverse;
}

const Node& Root(const Match& m) { return m.graph().node(m.root()); }

std::optional<std::int64_t> AxisIn(const Ints& perm, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(perm.size());
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  return perm[static_cast<std::size_t>(axis)];
}

// Every node of one of the operators, whatever its inputs are.
Pat AnyOf(std::span<const std::string_view> ops) {
  std::vector<Pat> forms;
  for (const std::string_view op : ops) forms.push_back(Op(op, {Rest()}));
  return Either(std::move(forms));
}

// One permutation that all inputs have but those that are the same at every position; nothing when
// they differ, or when moving it would make two of one.
std::optional<Ints> CommonPermutation(const Match& m) {
  std::optional<Ints> common;
  bool used_once = false;
  for (const ValueId input : Root(m).inputs) {
    if (input == kNoValue || m.graph().Constant(input) != nullptr) continue;
    const std::optional<Turned> turned = TurnedOf(m.graph(), input);
    if (!turned || (common && *common != turned->perm)) return std::nullopt;
    common = turned->perm;
    used_once = used_once || IsUsedOnce(m.graph(), input, *turned);
  }
  return used_once ? common : std::nullopt;
}

// A constant as it must be before the Transpose: extended to its rank, then turned back.
Expr TurnedBack(Builder& g, ValueId constant, const Ints& perm) {
  const Tensor& tensor = *g.graph().Constant(constant);
  if (tensor.count() == 1) {
    // Of any rank up to that of the others: it broadcasts as before.
    return g.Give(constant);
  }
  Ints dims(perm.size() - static_cast<std::size_t>(tensor.rank()), 1);
  dims.insert(dims.end(), tensor.dims().begin(), tensor.dims().end());
  const Expr extended = dims.size() == static_cast<std::size_t>(tensor.rank())
                            ? g.Give(constant)
                            : Reshape(g.Give(constant), dims);
  return Transpose(extended, Inverse(perm));
}

// Operators that treat each element alone. Of the second list, all inputs but the first are single
// values.
constexpr std::string_view kElementwiseOps[] = {"Abs",         "Add",
                                                "Cast",        "Ceil",
                                                "Clip",        "Div",
                                                "Elu",         "Exp",
                                                "Floor",       "Gelu",
                                                "HardSigmoid", "HardSwish",
                                                "LeakyRelu",   "Log",
                                                "Max",         "Min",
                                                "Mish",        "Mul",
                                                "Neg",         "PRelu",
                                                "Pow",         "QuantizeLinear",
                                                "Reciprocal",  "Relu",
                                                "Round",       "Sigmoid",
                                                "Sqrt",        "Sub",
                                                "Sum",         "Swish",
                                                "Tanh"};

bool FitsRank(const Match& m, const Ints& perm) {
  for (const ValueId input : Root(m).inputs) {
    const Tensor* constant = input == kNoValue ? nullptr : m.graph().Constant(input);
    if (constant != nullptr && constant->rank() > static_cast<std::int64_t>(perm.size()))
      return false;
  }
  return true;
}

Rule BelowElementwise() {
  return {.name = "transpose-below-elementwise",
          .match = AnyOf(kElementwiseOps),
          .build =
              [](Builder& g) {
                const Ints perm = *CommonPermutation(g);
                const std::string_view op = Root(g).op->name;
                const std::vector<ValueId> old = Root(g).inputs;
                const AttrMap attributes = Root(g).attributes;
                std::vector<Expr> inputs;
                for (const ValueId input : old) {
                  if (input == kNoValue) {
                    inputs.push_back(g.Give(kNoValue));
                  } else if (g.graph().Constant(input) != nullptr) {
                    inputs.push_back(TurnedBack(g, input, perm));
                  } else {
                    inputs.push_back(Unturned(g, *TurnedOf(g.graph(), input)));
                  }
                }
                return Transpose(g.Op(op, std::move(inputs), attributes), perm);
              },
          .where =
              [](const Match& m) {
                const auto perm = CommonPermutation(m);
                return perm && Root(m).outputs.size() == 1 && FitsRank(m, *perm) &&
                       (Root(m).op->name != "QuantizeLinear" || HasOneScale(m.graph(), Root(m)));
              }};
}

Rule BelowConcat() {
  static constexpr std::string_view kOps[] = {"Concat"};
  return {.name = "transpose-below-concat",
          .match = AnyOf(kOps),
          .build =
              [](Builder& g) {
                const Ints perm = *CommonPermutation(g);
                const auto axis = AxisIn(perm, g.IntAttr("axis"));
                if (!axis) return g.Refuse("the axis is outside");
                std::vector<Expr> inputs;
                for (const ValueId input : std::vector<ValueId>(Root(g).inputs)) {
                  const bool constant = g.graph().Constant(input) != nullptr;
                  inputs.push_back(constant ? Transpose(g.Give(input), Inverse(perm))
                                            : Unturned(g, *TurnedOf(g.graph(), input)));
                }
                return Transpose(g.Op("Concat", std::move(inputs), {{"axis", *axis}}), perm);
              },
          .where = [](const Match& m) { return CommonPermutation(m).has_value(); }};
}

// Amounts of padding with their axes in another order.
Ints Reordered(const Ints& pads, const Ints& order) {
  const std::size_t rank = order.size();
  Ints result(pads.size(), 0);
  for (std::size_t i = 0; i < rank; ++i) {
    result[i] = pads[static_cast<std::size_t>(order[i])];
    result[i + rank] = pads[static_cast<std::size_t>(order[i]) + rank];
  }
  return result;
}

bool IsUsedByTransposes(const Match& m) {
  const Value& value = m.graph().value(m.result());
  return value.output_uses == 0 && !value.users.empty() &&
         std::all_of(value.users.begin(), value.users.end(),
                     [&](NodeId user) { return m.graph().node(user).op->name == "Transpose"; });
}

// Only between Transposes: elsewhere it would come back (see below).
Rule BelowPad() {
  Pat x = Any(), pads = Const();
  Pat transpose = Op("Transpose", {x});
  Pat value = Optional(Any());
  Pat pad = Op("Pad", {Once(transpose), pads, value});
  return {.name = "transpose-below-pad",
          .match = pad,
          .build =
              [=](Builder& g) {
                const Ints perm = *PermutationOf(g.graph(), g.ValueOf(transpose));
                const Ints amounts = Reordered(*g.IntsOf(pads), Inverse(perm));
                return Transpose(g.Op("Pad", {g[x], g.Ints(amounts), g[value]}, g.Attributes(pad)),
                                 perm);
              },
          .where =
              [=](const Match& m) {
                const auto perm = PermutationOf(m.graph(), m.ValueOf(transpose));
                const auto amounts = m.IntsOf(pads);
                return perm && amounts && amounts->size() == 2 * perm->size() &&
                       IsUsedByTransposes(m);
              }};
}

// Pictures of the graph's inputs are turned first, so that the padding meets the convolution.
Rule AbovePadOfInput() {
  Pat x = Any(), pads = Const();
  Pat value = Optional(Any());
  Pat pad = Op("Pad", {x, pads, value});
  Pat transpose = Op("Transpose", {Once(pad)});
  return {.name = "transpose-above-pad-of-input",
          .match = transpose,
          .build =
              [=](Builder& g) {
                const Ints perm = *PermutationOf(g.graph(), g.result());
                const Ints amounts = Reordered(*g.IntsOf(pads), perm);
                return g.Op("Pad", {Transpose(g[x], perm), g.Ints(amounts), g[value]},
                            g.Attributes(pad));
              },
          .where =
              [=](const Match& m) {
                const auto perm = PermutationOf(m.graph(), m.result());
                const auto amounts = m.IntsOf(pads);
                return perm && amounts && amounts->size() == 2 * perm->size() &&
                       m.graph().value(m.ValueOf(x)).producer == kNoNode && !IsUsedByTransposes(m);
              }};
}

constexpr std::string_view kReductions[] = {"ReduceL1",  "ReduceL2",   "ReduceMax", "ReduceMean",
                                            "ReduceMin", "ReduceProd", "ReduceSum"};

// What order the axes that stay have, counted without those that go.
Ints OrderOfRest(const Ints& perm, const Ints& gone) {
  Ints order;
  for (const std::int64_t axis : perm) {
    if (std::find(gone.begin(), gone.end(), axis) != gone.end()) continue;
    order.push_back(axis - std::count_if(gone.begin(), gone.end(),
                                         [&](std::int64_t other) { return other < axis; }));
  }
  return order;
}

Rule BelowReduction() {
  return {.name = "transpose-below-reduction",
          .match = AnyOf(kReductions),
          .build =
              [](Builder& g) {
                const Node& node = Root(g);
                const std::string_view op = node.op->name;
                const AttrMap attributes = node.attributes;
                const Turned turned = *TurnedOf(g.graph(), node.inputs[0]);
                const Ints& perm = turned.perm;
                const Ints given = KnownInts(g.graph(), node.inputs[1]).value_or(Ints());
                Ints axes;
                for (const std::int64_t axis : given) {
                  const auto before = AxisIn(perm, axis);
                  if (!before) return g.Refuse("an axis is outside");
                  axes.push_back(*before);
                }
                const bool keeps = g.IntAttr("keepdims") != 0;
                const Expr reduced = g.Op(op, {Unturned(g, turned), g.Ints(axes)}, attributes);
                const Ints order = keeps ? perm : OrderOfRest(perm, axes);
                return std::is_sorted(order.begin(), order.end()) ? reduced
                                                                  : Transpose(reduced, order);
              },
          .where =
              [](const Match& m) {
                const Node& node = Root(m);
                if (node.inputs.size() < 2 || node.inputs[1] == kNoValue) return false;
                const auto axes = KnownInts(m.graph(), node.inputs[1]);
                const auto turned = TurnedOf(m.graph(), node.inputs[0]);
                return axes && !axes->empty() && turned &&
                       IsUsedOnce(m.graph(), node.inputs[0], *turned);
              }};
}

}  // namespace

std::vector<Rule> TransposeRules() {
  return {BelowElementwise(), BelowConcat(), BelowPad(), AbovePadOfInput(), BelowReduction()};
}

}  // namespace athanor::passes
