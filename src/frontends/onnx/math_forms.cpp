#include "frontends/onnx/math_forms.h"

namespace athanor::onnx {
namespace {

// x with `count` dimensions of 1 appended.
Result<ValueId> AppendOnes(NodeImport& ctx, ValueId x, std::int64_t count) {
  if (count == 0) return x;
  // A 0 copies the dimension of x.
  std::vector<std::int64_t> shape(static_cast<std::size_t>(ctx.graph.value(x).type.rank()), 0);
  shape.insert(shape.end(), static_cast<std::size_t>(count), 1);
  return ctx.Add("Reshape", {x, ctx.ConstantInts(shape)});
}

// One number of a floating-point type.
Result<Tensor> FloatScalar(DType dtype, float value) {
  Tensor scalar;
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    scalar = Tensor::Scalar(static_cast<T>(value));
    return {};
  }));
  return scalar;
}

}  // namespace

Status BroadcastByAxis(NodeImport& ctx) {
  const AttributeProto* axis_attribute = ctx.Find("axis");
  if (ctx.Int("broadcast", 0) != 0 && axis_attribute != nullptr && ctx.Has(0) && ctx.Has(1)) {
    const Type& a = ctx.InType(0);
    const Type& b = ctx.InType(1);
    if (!a.HasRank() || !b.HasRank())
      return Unsupported("broadcast along an axis needs inputs of known rank; {} and {} are given",
                         a.ToString(), b.ToString());
    std::int64_t axis = ctx.Int("axis", 0);
    if (axis < -a.rank() || axis > a.rank())
      return InvalidModel("axis {} is outside the rank of {}", axis, a.ToString());
    if (axis < 0) axis += a.rank();
    const std::int64_t after = a.rank() - axis - b.rank();
    if (after < 0)
      return InvalidModel("{} does not fit into {} at axis {}", b.ToString(), a.ToString(), axis);
    ATH_TRY(ctx.inputs[1], AppendOnes(ctx, ctx.In(1), after));
  }
  return Same("", {"axis", "broadcast", "consumed_inputs"})(ctx);
}

Status PReluPerChannel(NodeImport& ctx) {
  if (ctx.Has(0) && ctx.Has(1) && ctx.InType(0).HasRank() && ctx.InType(1).HasRank() &&
      ctx.InType(1).rank() == 1 && ctx.InType(0).rank() > 2) {
    ATH_TRY(ctx.inputs[1], AppendOnes(ctx, ctx.In(1), ctx.InType(0).rank() - 2));
  }
  return Same("", {"consumed_inputs"})(ctx);
}

Status ClipByAttributes(NodeImport& ctx) {
  if (ctx.num_inputs() != 1) return InvalidModel("one input is expected");
  for (const char* bound : {"min", "max"}) {
    if (ctx.Find(bound) == nullptr) {
      ctx.inputs.push_back(kNoValue);
      continue;
    }
    ATH_TRY(Tensor value, FloatScalar(ctx.InType(0).dtype, ctx.Float(bound, 0)));
    ctx.inputs.push_back(ctx.Constant(std::move(value)));
  }
  return ctx.AddSame("Clip", {});
}

Status ReduceByAttribute(NodeImport& ctx) {
  if (ctx.num_inputs() != 1) return InvalidModel("one input is expected");
  const std::optional<std::vector<std::int64_t>> axes = ctx.Ints("axes");
  if (axes && !axes->empty()) ctx.inputs.push_back(ctx.ConstantInts(*axes));
  return Same("", {"axes"})(ctx);
}

Status SoftmaxOfMatrix(NodeImport& ctx) {
  if (!ctx.Has(0)) return InvalidModel("input 0 is required");
  const Type& x = ctx.InType(0);
  const std::string_view op = ctx.node.op_type;
  std::int64_t axis = ctx.Int("axis", 1);
  if (x.HasRank() && (axis < -x.rank() || axis > x.rank()))
    return InvalidModel("axis {} is outside the rank of {}", axis, x.ToString());
  if (x.HasRank() && (axis == -1 || axis == x.rank() - 1))
    return ctx.AddSame(op, {{"axis", std::int64_t{-1}}});
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.In(0)}));
  ATH_TRY(const ValueId matrix, ctx.Add("Flatten", {ctx.In(0)}, {{"axis", axis}}));
  ATH_TRY(const ValueId result, ctx.Add(op, {matrix}, {{"axis", std::int64_t{-1}}}));
  return ctx.Give(ctx.Add("Reshape", {result, shape}, {{"allowzero", std::int64_t{1}}}));
}

Status CastToTypeOfInput(NodeImport& ctx) {
  if (ctx.num_inputs() != 2 || !ctx.Has(0) || !ctx.Has(1))
    return InvalidModel("two inputs are expected");
  const OpDef* cast = ctx.graph.catalog().Find("Cast");
  ATH_CHECK(cast != nullptr, "Cast is in the catalogue");
  ATH_TRY(AttrMap attributes, ctx.Attributes(*cast));
  attributes.Set("to", ctx.InType(1).dtype);
  return ctx.Give(ctx.Add("Cast", {ctx.In(0)}, std::move(attributes)));
}

Status TopKByAttribute(NodeImport& ctx) {
  if (ctx.num_inputs() != 1) return InvalidModel("one input is expected");
  ctx.inputs.push_back(ctx.ConstantInts({ctx.Int("k", 0)}));
  return Same("", {"k"})(ctx);
}

}  // namespace athanor::onnx
