// The operators of MindSpore that are read.
#include <algorithm>

#include "frontends/mindir/op_import.h"

namespace athanor::mindir {
namespace {

void Plain(OpImport& ctx) { ctx.Give(ctx.Op(ctx.row.target, {ctx.In(0)})); }

// A number beside a tensor has the tensor's type.
void Binary(OpImport& ctx) {
  ValueId a = ctx.In(0), b = ctx.In(1);
  const auto is_number = [&](std::size_t i) { return ctx.inputs[i].kind != Item::Kind::kTensor; };
  if (!ctx.ok()) return;
  if (is_number(1) && !is_number(0)) b = ctx.Number(ctx.inputs[1].real, ctx.DTypeOf(a));
  if (is_number(0) && !is_number(1)) a = ctx.Number(ctx.inputs[0].real, ctx.DTypeOf(b));
  const ValueId y = ctx.Op(ctx.row.op == "NotEqual" ? "Equal" : ctx.row.target, {a, b});
  ctx.Give(ctx.row.op == "NotEqual" ? ctx.Op("Not", {y}) : y);
}

void Square(OpImport& ctx) { ctx.Give(ctx.Op("Mul", {ctx.In(0), ctx.In(0)})); }
void ReciprocalRoot(OpImport& ctx) {
  ctx.Give(ctx.Op("Reciprocal", {ctx.Op("Sqrt", {ctx.In(0)})}));
}
void Silu(OpImport& ctx) { ctx.Give(ctx.Op("Mul", {ctx.In(0), ctx.Op("Sigmoid", {ctx.In(0)})})); }
void Relu6(OpImport& ctx) { ctx.Give(ctx.Op("Clip", {ctx.In(0), ctx.Scalar(0), ctx.Scalar(6)})); }
void HardSigmoid(OpImport& ctx) {
  ctx.Give(ctx.Op("HardSigmoid", {ctx.In(0)}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
}
void Gelu(OpImport& ctx) {
  ctx.Give(ctx.Op("Gelu", {ctx.In(0)}, {{"approximate", std::string("tanh")}}));
}
void Elu(OpImport& ctx) {
  ctx.Give(ctx.Op("Elu", {ctx.In(0)}, {{"alpha", static_cast<float>(ctx.RealAt(1, "alpha", 1))}}));
}
void Where(OpImport& ctx) { ctx.Give(ctx.Op("Where", {ctx.In(0), ctx.In(1), ctx.In(2)})); }
void Softmax(OpImport& ctx) {
  ctx.Give(ctx.Op(ctx.row.target, {ctx.In(0)}, {{"axis", ctx.IntAt(1, "axis", -1)}}));
}

void CastTo(OpImport& ctx) {
  // The number of a type in MindSpore's own list, not that of the file's tensors.
  static constexpr std::pair<std::int64_t, DType> kTypes[] = {
      {30, DType::kBool}, {32, DType::kI8},  {33, DType::kI16}, {34, DType::kI32},
      {35, DType::kI64},  {37, DType::kU8},  {42, DType::kF16}, {43, DType::kF32},
      {44, DType::kF64},  {45, DType::kBF16}};
  const std::int64_t wanted = ctx.IntAt(1, "dtype", 0);
  for (const auto& [number, dtype] : kTypes) {
    if (number == wanted) return ctx.Give(ctx.Cast(ctx.In(0), dtype));
  }
  ctx.Fail(Error(ErrorCode::kUnsupportedType, "element type {} is not read", wanted));
}

// ---- products

ValueId SwapLast(OpImport& ctx, ValueId x) {
  IntList perm = OpImport::AllAxes(ctx.Rank(x));
  if (!ctx.Expect(perm.size() >= 2, "a matrix of {} axes", perm.size())) return x;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Transpose(x, perm);
}

void Product(OpImport& ctx) {
  ValueId a = ctx.In(0), b = ctx.In(1);
  if (ctx.IntAt(2, "transpose_a", 0) != 0) a = SwapLast(ctx, a);
  if (ctx.IntAt(3, "transpose_b", 0) != 0) b = SwapLast(ctx, b);
  ctx.Give(ctx.Op("MatMul", {a, b}));
}

void Dense(OpImport& ctx) {
  const ValueId y = ctx.Op("MatMul", {ctx.In(0), SwapLast(ctx, ctx.In(1))});
  const bool has_bias = ctx.inputs.size() > 2 && ctx.inputs[2].kind == Item::Kind::kTensor;
  ctx.Give(has_bias ? ctx.Op("Add", {y, ctx.In(2)}) : y);
}

// Along the channels, the second axis.
void BiasAdd(OpImport& ctx) {
  const std::int64_t rank = ctx.Rank(ctx.In(0));
  IntList shape(static_cast<std::size_t>(std::max<std::int64_t>(rank - 1, 1)), 1);
  shape[0] = -1;
  ctx.Give(ctx.Op("Add", {ctx.In(0), ctx.Reshape(ctx.In(1), shape)}));
}

// ---- windows

IntList LastTwo(OpImport& ctx, std::string_view name, const IntList& otherwise = {1, 1}) {
  IntList list = ctx.IntsAt(kAttributeOnly, name, otherwise);
  if (list.size() == 1) list.push_back(list[0]);
  if (list.size() == 4) list.erase(list.begin(), list.begin() + 2);
  ctx.Expect(list.size() == 2, "{} has {} numbers", name, list.size());
  list.resize(2, 1);
  return list;
}

void SetPads(OpImport& ctx, AttrMap& attributes) {
  std::string mode = ctx.Text("pad_mode", "valid");
  std::transform(mode.begin(), mode.end(), mode.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (mode == "same") return attributes.Set("auto_pad", std::string("SAME_UPPER"));
  if (!ctx.Expect(mode == "valid" || mode == "pad",
                  "pad_mode {} is not read; same, valid and pad are", mode.substr(0, 40)) ||
      mode == "valid")
    return;
  // Top, bottom, left, right.
  const IntList pad = ctx.IntsAt(kAttributeOnly, "pad", {0, 0, 0, 0});
  if (ctx.Expect(pad.size() == 4, "pad has {} numbers", pad.size()))
    attributes.Set("pads", IntList{pad[0], pad[2], pad[1], pad[3]});
}

void ExpectChannelsFirst(OpImport& ctx) {
  const std::string format = ctx.Text("format", "NCHW");
  ctx.Expect(format == "NCHW", "format {} is not read; NCHW is", format.substr(0, 40));
}

void Convolution(OpImport& ctx) {
  ExpectChannelsFirst(ctx);
  AttrMap attributes = {{"strides", LastTwo(ctx, "stride")},
                        {"dilations", LastTwo(ctx, "dilation")},
                        {"group", ctx.IntAt(kAttributeOnly, "group", 1)}};
  SetPads(ctx, attributes);
  ctx.Give(ctx.Op("Conv", {ctx.In(0), ctx.In(1)}, std::move(attributes)));
}

void Pool(OpImport& ctx) {
  ExpectChannelsFirst(ctx);
  AttrMap attributes = {{"kernel_shape", LastTwo(ctx, "kernel_size", {})},
                        {"strides", LastTwo(ctx, "strides")}};
  SetPads(ctx, attributes);
  ctx.Give(ctx.Op(ctx.row.target, {ctx.In(0)}, std::move(attributes)));
}

// Its window is given by inputs: sizes, steps, padding (0: given, 1: same, 2: valid), layout.
void AveragePool(OpImport& ctx) {
  const IntList kernel = ctx.IntsAt(1, "kernel_size"), strides = ctx.IntsAt(2, "strides");
  const auto two = [&](const IntList& list) {
    ctx.Expect(list.size() == 1 || list.size() == 2 || list.size() == 4, "a window of {} numbers",
               list.size());
    return list.empty() ? IntList{1, 1}
                        : IntList{list[list.size() > 1 ? list.size() - 2 : 0], list.back()};
  };
  const std::int64_t mode = ctx.IntAt(3, "pad_mode", 2), layout = ctx.IntAt(4, "format", 0);
  if (!ctx.Expect(mode == 1 || mode == 2, "pad_mode {} of AvgPool is not read", mode) ||
      !ctx.Expect(layout == 0, "layout {} is not read; NCHW is", layout))
    return;
  AttrMap attributes = {{"kernel_shape", two(kernel)}, {"strides", two(strides)}};
  if (mode == 1) attributes.Set("auto_pad", std::string("SAME_UPPER"));
  ctx.Give(ctx.Op("AveragePool", {ctx.In(0)}, std::move(attributes)));
}

void BatchNorm(OpImport& ctx) {
  ctx.Expect(ctx.IntAt(5, "is_training", 0) == 0,
             "statistics of a batch (is_training) are not read");
  const ValueId y =
      ctx.Op("BatchNormalization", {ctx.In(0), ctx.In(1), ctx.In(2), ctx.In(3), ctx.In(4)},
             {{"epsilon", static_cast<float>(ctx.RealAt(6, "epsilon", 1e-5))}});
  ctx.GiveAll({y});
}

void LayerNorm(OpImport& ctx) {
  const std::int64_t axis = ctx.IntAt(3, "begin_norm_axis", -1);
  ctx.GiveAll(
      {ctx.Op("LayerNormalization", {ctx.In(0), ctx.In(1), ctx.In(2)},
              {{"axis", axis}, {"epsilon", static_cast<float>(ctx.RealAt(5, "epsilon", 1e-7))}})});
}

// ---- shapes

void Reduce(OpImport& ctx) {
  IntList axes = ctx.IntsAt(1, "axis");
  if (axes.empty()) axes = OpImport::AllAxes(ctx.Rank(ctx.In(0)));
  ctx.Give(ctx.Reduce(ctx.row.target, ctx.In(0), axes, ctx.IntAt(2, "keep_dims", 0) != 0));
}

void Reshape(OpImport& ctx) {
  ctx.Give(ctx.Op("Reshape", {ctx.In(0), ctx.Ints(ctx.IntsAt(1, "shape"))},
                  {{"allowzero", std::int64_t{1}}}));
}
void Transpose(OpImport& ctx) { ctx.Give(ctx.Transpose(ctx.In(0), ctx.IntsAt(1, "perm"))); }
void Flatten(OpImport& ctx) {
  ctx.Give(ctx.Op("Flatten", {ctx.In(0)}, {{"axis", std::int64_t{1}}}));
}
void ExpandDims(OpImport& ctx) { ctx.Give(ctx.Unsqueeze(ctx.In(0), {ctx.IntAt(1, "axis", 0)})); }
void Squeeze(OpImport& ctx) {
  const IntList axes = ctx.IntsAt(kAttributeOnly, "axis");
  ctx.Give(axes.empty() ? ctx.Op("Squeeze", {ctx.In(0)}) : ctx.Squeeze(ctx.In(0), axes));
}
void Concat(OpImport& ctx) { ctx.Give(ctx.Join(ctx.AllOf(0), ctx.IntAt(1, "axis", 0))); }
void Stack(OpImport& ctx) {
  std::vector<ValueId> parts = ctx.AllOf(0);
  if (!ctx.ok()) return;
  const std::int64_t axis = ctx.Axis(ctx.IntAt(1, "axis", 0), ctx.Rank(parts[0]) + 1);
  for (ValueId& part : parts) part = ctx.Unsqueeze(part, {axis});
  ctx.Give(ctx.Join(parts, axis));
}
void Split(OpImport& ctx) {
  const std::int64_t parts = ctx.IntAt(2, "output_num", 1);
  constexpr std::int64_t kMost = 4096;
  if (!ctx.Expect(parts >= 1 && parts <= kMost, "{} parts", parts)) return;
  ctx.GiveAll(ctx.Ops("Split", {ctx.In(0)}, static_cast<std::size_t>(parts),
                      {{"axis", ctx.IntAt(1, "axis", 0)}, {"num_outputs", parts}}));
}
void Gather(OpImport& ctx) {
  ctx.Give(ctx.Op("Gather", {ctx.In(0), ctx.In(1)}, {{"axis", ctx.IntAt(2, "axis", 0)}}));
}
void Tile(OpImport& ctx) {
  ctx.Give(ctx.Op("Tile", {ctx.In(0), ctx.Ints(ctx.IntsAt(1, "multiples"))}));
}
void BroadcastTo(OpImport& ctx) {
  ctx.Give(ctx.Op("Expand", {ctx.In(0), ctx.Ints(ctx.IntsAt(1, "shape"))}));
}

}  // namespace

// clang-format off
std::vector<Row> LayerRows() {
  return {
      {"AvgPool", AveragePool, "", 3},
      {"BatchMatMul", Product, "", 2},
      {"BatchNorm", BatchNorm, "", 5},
      {"BiasAdd", BiasAdd, "", 2},
      {"Conv2D", Convolution, "", 2},
      {"Dense", Dense, "", 2},
      {"LayerNorm", LayerNorm, "", 3},
      {"MatMul", Product, "", 2},
      {"MatMulExt", Binary, "MatMul", 2},
      {"MaxPool", Pool, "MaxPool"},
  };
}

std::vector<Row> MathRows() {
  return {
      {"Abs", Plain, "Abs"},
      {"Add", Binary, "Add", 2},
      {"Cast", CastTo},
      {"Ceil", Plain, "Ceil"},
      {"Cos", Plain, "Cos"},
      {"Div", Binary, "Div", 2},
      {"Elu", Elu},
      {"Equal", Binary, "Equal", 2},
      {"Erf", Plain, "Erf"},
      {"Exp", Plain, "Exp"},
      {"Floor", Plain, "Floor"},
      {"GeLU", Gelu},
      {"Greater", Binary, "Greater", 2},
      {"GreaterEqual", Binary, "GreaterOrEqual", 2},
      {"HSigmoid", HardSigmoid},
      {"HSwish", Plain, "HardSwish"},
      {"Less", Binary, "Less", 2},
      {"LessEqual", Binary, "LessOrEqual", 2},
      {"Log", Plain, "Log"},
      {"LogSoftmax", Softmax, "LogSoftmax"},
      {"LogicalAnd", Binary, "And", 2},
      {"LogicalNot", Plain, "Not"},
      {"LogicalOr", Binary, "Or", 2},
      {"Maximum", Binary, "Max", 2},
      {"Minimum", Binary, "Min", 2},
      {"Mish", Plain, "Mish"},
      {"Mul", Binary, "Mul", 2},
      {"Muls", Binary, "Mul", 2},
      {"Neg", Plain, "Neg"},
      {"NotEqual", Binary, "Equal", 2},
      {"Pow", Binary, "Pow", 2},
      {"ReLU", Plain, "Relu"},
      {"ReLU6", Relu6},
      {"RealDiv", Binary, "Div", 2},
      {"Reciprocal", Plain, "Reciprocal"},
      {"Rsqrt", ReciprocalRoot},
      {"Select", Where, "", 3},
      {"SeLU", Plain, "Selu"},
      {"SiLU", Silu},
      {"Sigmoid", Plain, "Sigmoid"},
      {"Sin", Plain, "Sin"},
      {"Softmax", Softmax, "Softmax"},
      {"Softplus", Plain, "Softplus"},
      {"Softsign", Plain, "Softsign"},
      {"Sqrt", Plain, "Sqrt"},
      {"Square", Square},
      {"Sub", Binary, "Sub", 2},
      {"Tanh", Plain, "Tanh"},
  };
}

std::vector<Row> ShapeRows() {
  return {
      {"BroadcastTo", BroadcastTo},
      {"Concat", Concat},
      {"ExpandDims", ExpandDims},
      {"Flatten", Flatten},
      {"Gather", Gather, "", 2},
      {"ReduceMax", Reduce, "ReduceMax"},
      {"ReduceMean", Reduce, "ReduceMean"},
      {"ReduceMin", Reduce, "ReduceMin"},
      {"ReduceProd", Reduce, "ReduceProd"},
      {"ReduceSum", Reduce, "ReduceSum"},
      {"Reshape", Reshape},
      {"Split", Split},
      {"Squeeze", Squeeze},
      {"Stack", Stack},
      {"Tile", Tile},
      {"Transpose", Transpose},
  };
}
// clang-format on

}  // namespace athanor::mindir
