// Concat and Split: joining and cutting along one axis.
#include "core/checked.h"
#include "ir/gradient.h"
#include "ops/broadcast.h"
#include "ops/quant/fixed31.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct ConcatAttrs {
  std::int64_t axis = 0;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which axis the inputs follow each other", kRequired);
  }
};

// The values of all inputs one after the other; unknown where an input is not followed.
void FollowConcat(InferCtx& ctx) {
  athanor::Shape joined;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const Type& type = ctx.In(i);
    if (type.rank() != 1 || !type.dim(0).IsConst() || type.dim(0).value() > kMaxFollowed) return;
    std::optional<athanor::Shape> ints = ctx.Ints(i);
    if (!ints) ints = athanor::Shape(static_cast<std::size_t>(type.dim(0).value()));
    joined.insert(joined.end(), ints->begin(), ints->end());
    if (joined.size() > static_cast<std::size_t>(kMaxFollowed)) return;
  }
  ctx.out_ints[0] = std::move(joined);
}

Status InferConcat(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const auto attrs = ctx.Attrs<ConcatAttrs>();
  ctx.out[0] = Type::TensorOfUnknownRank(ctx.InDType(0));
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, i));
    if (!ctx.In(i).HasRank()) return {};
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, ctx.In(0).rank()));
  }
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, ctx.In(0).rank()));
  athanor::Shape shape = *ctx.In(0).shape;
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) {
    const athanor::Shape& other = *ctx.In(i).shape;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (static_cast<std::int64_t>(d) == axis) {
        shape[d] = shape[d] + other[d];
      } else if (shape[d].IsConst() && other[d].IsConst() && !(shape[d] == other[d])) {
        return InvalidModel("input {} is {}; only axis {} may differ from {}", i,
                            ctx.In(i).ToString(), axis, ctx.In(0).ToString());
      } else if (shape[d].IsUnknown() || other[d].IsConst()) {
        shape[d] = other[d];
      }
    }
  }
  ctx.out[0].shape = std::move(shape);
  if (IsInteger(ctx.InDType(0)) && axis == 0) FollowConcat(ctx);
  return {};
}

// Elements before, along and after an axis.
struct Around {
  std::int64_t outer = 1, size = 1, inner = 1;
};
Around AroundAxis(const Dims& dims, std::int64_t axis) {
  const auto at = static_cast<std::size_t>(axis);
  return {CountOf(dims, 0, at), dims[at], CountOf(dims, at + 1, dims.size())};
}

Status ConcatReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  Tensor& out = ctx.Out(0);
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<ConcatAttrs>().axis, out.rank()));
  const Around whole = AroundAxis(out.dims(), axis);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const Around part = AroundAxis(ctx.In(i).dims(), axis);
    const std::int64_t run = part.size * part.inner;
    for (std::int64_t o = 0; o < whole.outer; ++o) {
      CopyElements(ctx.In(i), o * run, out, o * whole.size * whole.inner + start * whole.inner,
                   run);
    }
    start += part.size;
  }
  return {};
}

struct SplitAttrs {
  std::int64_t axis = 0;
  std::optional<std::int64_t> num_outputs;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis is cut");
    v("num_outputs", num_outputs,
      "parts of equal size, the last smaller when it does not come out even; only without 'split'");
  }
};

// Sizes of the parts along the axis; unknown where they do not follow.
Result<athanor::Shape> PartSizes(const InferCtx& ctx, const Dim& size) {
  const auto attrs = ctx.Attrs<SplitAttrs>();
  const std::size_t count = ctx.num_outputs();
  if (ctx.Has(1)) {
    const std::optional<athanor::Shape> given = ctx.Ints(1);
    if (!given) return athanor::Shape(count);
    Dim sum = 0;
    for (const Dim& part : *given) {
      if (part.IsConst() && part.value() < 0)
        return InvalidModel("a part of size {}", part.value());
      sum = sum + part;
    }
    if (given->size() < count || (sum.IsConst() && size.IsConst() && !(sum == size))) {
      return InvalidModel("parts {} do not make {} outputs of an axis of {}", ToString(*given),
                          count, size.ToString());
    }
    return athanor::Shape(given->begin(), given->begin() + static_cast<std::ptrdiff_t>(count));
  }
  const std::int64_t parts = attrs.num_outputs.value_or(static_cast<std::int64_t>(count));
  if (parts < static_cast<std::int64_t>(count))
    return InvalidModel("num_outputs is {}, but the node has {} outputs", parts, count);
  if (!size.IsConst()) {
    // An uneven last part would be smaller than the others.
    if (parts == 1) return athanor::Shape{size};
    return attrs.num_outputs ? athanor::Shape(count) : athanor::Shape(count, FloorDiv(size, parts));
  }
  if (!attrs.num_outputs && size.value() % parts != 0)
    return InvalidModel("an axis of {} does not split into {} equal parts", size.value(), parts);
  const std::int64_t chunk = size.value() / parts + (size.value() % parts != 0 ? 1 : 0);
  athanor::Shape sizes;
  std::int64_t left = size.value();
  for (std::size_t i = 0; i < count; ++i) {
    sizes.emplace_back(std::min(chunk, left));
    left -= sizes.back().value();
  }
  return sizes;
}

Status InferSplit(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const Type& input = ctx.In(0);
  for (Type& out : ctx.out) out = Type::TensorOfUnknownRank(input.dtype);
  if (!input.HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<SplitAttrs>().axis, input.rank()));
  ATH_TRY(const athanor::Shape sizes, PartSizes(ctx, input.dim(axis)));
  const std::optional<athanor::Shape> ints = input.rank() == 1 ? ctx.Ints(0) : std::nullopt;
  std::size_t start = 0;
  bool known = ints.has_value();
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    ctx.out[i].shape = input.shape;
    (*ctx.out[i].shape)[static_cast<std::size_t>(axis)] = sizes[i];
    known = known && sizes[i].IsConst() &&
            static_cast<std::uint64_t>(sizes[i].value()) <= ints->size() - start;
    if (!known) continue;
    const auto from = ints->begin() + static_cast<std::ptrdiff_t>(start);
    ctx.out_ints[i] = athanor::Shape(from, from + static_cast<std::ptrdiff_t>(sizes[i].value()));
    start += static_cast<std::size_t>(sizes[i].value());
  }
  return {};
}

Status SplitReference(RefCtx& ctx) {
  const Tensor& input = ctx.In(0);
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<SplitAttrs>().axis, input.rank()));
  const Around whole = AroundAxis(input.dims(), axis);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (!ctx.out[i].IsTensor()) return ExpectOutput(ctx);
    Tensor& out = ctx.Out(i);
    const std::int64_t run = out.dim(axis) * whole.inner;
    if (start + out.dim(axis) > whole.size) return DataError("the parts are longer than the axis");
    for (std::int64_t o = 0; o < whole.outer; ++o)
      CopyElements(input, (o * whole.size + start) * whole.inner, out, o * run, run);
    start += out.dim(axis);
  }
  return {};
}

// Each input gets its part of dy.
Status ConcatGradient(GradientCtx& ctx) {
  std::int64_t axis = ctx.Attrs<ConcatAttrs>().axis;
  if (axis < 0) axis += static_cast<std::int64_t>(ctx.OutDims().size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    const std::int64_t end = begin + ctx.InDims(i)[static_cast<std::size_t>(axis)];
    if (ctx.Wants(i))
      ctx.Set(i, ctx.Op("Slice", {ctx.DOut(), ctx.Integers({begin}), ctx.Integers({end}),
                                  ctx.Integers({axis})}));
    begin = end;
  }
  return {};
}

// Parts that the loss does not depend on get zeros.
Status SplitGradient(GradientCtx& ctx) {
  const bool listed = ctx.num_inputs() > 1 && ctx.In(1) != kNoValue;
  const std::int64_t told = ctx.Attrs<SplitAttrs>().num_outputs.value_or(0);
  const auto outputs = static_cast<std::size_t>(listed ? ctx.InDims(1)[0] : told);
  if (outputs == 0) return Unsupported("only parts whose number is told have a gradient");
  std::vector<ValueId> parts;
  for (std::size_t i = 0; i < outputs; ++i)
    parts.push_back(ctx.DOut(i) != kNoValue ? ctx.DOut(i)
                                            : ctx.Op("Mul", {ctx.Out(i), ctx.Number(0)}));
  ctx.Set(0, ctx.Op("Concat", parts, {{"axis", ctx.Attrs<SplitAttrs>().axis}}));
  return {};
}

}  // namespace

OpDef Concat() {
  return {
      .name = "Concat",
      .summary = "The inputs one after the other along an axis.",
      .inputs = {{"inputs", "one element type, one shape but for the axis", kVariadicPort}},
      .outputs = {{"concat_result", "the sum of the inputs' sizes along the axis"}},
      .attributes = Describe<ConcatAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferConcat,
      .reference = ConcatReference,
      .fixed31 = ConcatFixed31,
      .gradient = ConcatGradient,
  };
}

OpDef Split() {
  return {
      .name = "Split",
      .summary = "Cuts a tensor into parts along an axis.",
      .inputs = {{"input", "any type"},
                 {"split", "i64 list: the size of each part; equal parts when omitted",
                  kOptionalPort}},
      .outputs = {{"outputs", "the parts, in order", kVariadicPort}},
      .attributes = Describe<SplitAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferSplit,
      .reference = SplitReference,
      .gradient = SplitGradient,
  };
}

}  // namespace athanor::ops
