#include "core/checked.h"
#include "ir/gradient.h"
#include "ir/op_def.h"

namespace athanor::ops {
namespace {

struct ReshapeAttrs {
  bool allowzero = false;
  template <class V>
  void Visit(V& v) {
    v("allowzero", allowzero,
      "1: a 0 in the shape means a dimension of 0, not 'copy from the input'");
  }
};

// Target dims with 0 and -1 resolved where the input shape is known.
Result<Shape> Resolve(const Shape& target, const Type& input, bool allowzero) {
  Shape out = target;
  std::optional<std::size_t> wildcard;
  Dim rest = 1;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].Is(0) && !allowzero) {
      if (!input.HasRank()) {
        out[i] = Dim::Unknown();
      } else if (i >= input.shape->size()) {
        return InvalidModel("dimension {} of the shape is 0 (copy), but the input is {}", i,
                            input.ToString());
      } else {
        out[i] = (*input.shape)[i];
      }
    } else if (out[i].Is(-1)) {
      if (wildcard) return InvalidModel("the shape {} has more than one -1", ToString(target));
      wildcard = i;
      continue;
    } else if (out[i].IsConst() && out[i].value() < 0) {
      return InvalidModel("the shape {} has a negative dimension", ToString(target));
    }
    rest = rest * out[i];
  }
  const Dim total = input.HasRank() ? ElementCount(*input.shape) : Dim::Unknown();
  if (wildcard) {
    if (total.IsConst() && rest.IsConst() &&
        (rest.value() == 0 || total.value() % rest.value() != 0)) {
      return InvalidModel("{} elements cannot be reshaped to {}", total.value(), ToString(target));
    }
    out[*wildcard] = FloorDiv(total, rest);
  } else if (total.IsConst() && rest.IsConst() && total.value() != rest.value()) {
    return InvalidModel("{} elements cannot be reshaped to {}", total.value(), ToString(target));
  }
  return out;
}

Status InferReshape(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const auto attrs = ctx.Attrs<ReshapeAttrs>();
  const DType dtype = ctx.InDType(0);
  if (const std::optional<Shape> target = ctx.Ints(1)) {
    ATH_TRY(Shape shape, Resolve(*target, ctx.In(0), attrs.allowzero));
    ctx.out[0] = Type::Tensor(dtype, std::move(shape));
    ctx.out_ints[0] = ctx.Ints(0);
    return {};
  }
  const Type& shape = ctx.In(1);
  if (shape.HasRank() && shape.dim(0).IsConst() && shape.dim(0).value() <= 64) {
    ctx.out[0] = Type::Tensor(dtype, Shape(static_cast<std::size_t>(shape.dim(0).value())));
  } else {
    ctx.out[0] = Type::TensorOfUnknownRank(dtype);
  }
  return {};
}

Status ReshapeReference(RefCtx& ctx) {
  const Dims dims = ctx.Out(0).dims();
  if (CheckedCount(dims) != ctx.In(0).count()) {
    return DataError("{} elements cannot be reshaped to {}", ctx.In(0).count(), ToString(dims));
  }
  ctx.out[0] = ctx.In(0).Reshaped(dims);
  return {};
}

Status ReshapeGradient(GradientCtx& ctx) {
  ctx.Set(0, ctx.Reshape(ctx.DOut(), ctx.InDims(0)));
  return {};
}

}  // namespace

OpDef Reshape() {
  return {
      .name = "Reshape",
      .summary =
          "The same elements under another shape; -1 takes what is left, 0 copies the input's "
          "dimension.",
      .inputs = {{"data", "any type"}, {"shape", "i64[rank of the result]"}},
      .outputs = {{"reshaped", "same elements"}},
      .attributes = Describe<ReshapeAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferReshape,
      .reference = ReshapeReference,
      .gradient = ReshapeGradient,
  };
}

}  // namespace athanor::ops
