// A product of two matrices of bytes, the scale of the first known only when it runs. Planners make
// such nodes of MatMul behind two DequantizeLinear; models have none (ADR 0066).
#include <array>

#include "ops/catalog.h"

namespace athanor::ops {
namespace {

struct DynamicMatMulAttrs {
  bool trans_b = false;

  template <class V>
  void Visit(V& v) {
    v("transB", trans_b, "whether w is given transposed");
  }
};

// What DequantizeLinear says of inputs first, first + 1 and first + 2.
Result<Type> RealOf(InferCtx& ctx, std::size_t first, std::int64_t axis) {
  std::vector<InferCtx::Input> inputs;
  for (std::size_t i = first; i < std::min(first + 3, ctx.num_inputs()); ++i)
    inputs.push_back({.type = ctx.Has(i) ? &ctx.In(i) : nullptr});
  const AttrMap attributes = {{"axis", axis}};
  InferCtx real(std::move(inputs), attributes, {}, 1);
  ATH_RETURN_IF_ERROR(Standard().Find("DequantizeLinear")->infer(real));
  if (real.out[0].dtype != DType::kF32)
    return InvalidModel("{} with scales that give {}; f32 is expected", ctx.In(first).ToString(),
                        real.out[0].ToString());
  return std::move(real.out[0]);
}

Status InferDynamicMatMul(InferCtx& ctx) {
  const bool turned = ctx.Attrs<DynamicMatMulAttrs>().trans_b;
  ATH_TRY(const Type x, RealOf(ctx, 0, 0));
  ATH_TRY(const Type w, RealOf(ctx, 3, turned ? 0 : 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(3, 2));
  if (!x.HasRank() || !w.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(DType::kF32);
    return {};
  }
  Shape out = *x.shape;
  const Dim& inner = w.dim(turned ? 1 : 0);
  if (out.back().IsConst() && inner.IsConst() && !(out.back() == inner))
    return InvalidModel("inner dimensions differ: {} times {}", x.ToString(), w.ToString());
  out.back() = w.dim(turned ? 0 : 1);
  ctx.out[0] = Type::Tensor(DType::kF32, std::move(out));
  return {};
}

Result<Tensor> Real(RefCtx& ctx, std::size_t first, std::int64_t axis) {
  ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, ctx.In(first).dims()));
  std::vector<Datum> reals = {Datum(std::move(real))};
  std::vector<Datum> integers = {ctx.InDatum(first), ctx.InDatum(first + 1)};
  if (ctx.Has(first + 2)) integers.push_back(ctx.InDatum(first + 2));
  const AttrMap attributes = {{"axis", axis}};
  RefCtx dequantize(integers, reals, attributes, {});
  ATH_RETURN_IF_ERROR(Standard().Find("DequantizeLinear")->reference(dequantize));
  return reals[0].tensor();
}

// The references of the operators that it was made of, one after the other.
Status DynamicMatMulReference(RefCtx& ctx) {
  const bool turned = ctx.Attrs<DynamicMatMulAttrs>().trans_b;
  ATH_TRY(const Tensor x, Real(ctx, 0, 0));
  ATH_TRY(const Tensor w, Real(ctx, 3, turned ? 0 : 1));
  if (ctx.Out(0).count() == 0) return {};
  const std::int64_t n = ctx.Out(0).dims().back(), k = x.dims().back();
  const std::int64_t m = ctx.Out(0).count() / n;
  const std::array<Datum, 2> factors = {Datum(x.Reshaped({m, k})), Datum(w)};
  std::vector<Datum> product = {Datum(ctx.Out(0).Reshaped({m, n}))};  // in the same memory
  const AttrMap attributes = {{"transB", std::int64_t{turned}}};
  RefCtx multiply(factors, product, attributes, {});
  return Standard().Find("Gemm")->reference(multiply);
}

Dim DynamicMatMulCost(const CostCtx& ctx) {
  const Type& x = *ctx.in[0];
  if (!x.HasRank() || !ctx.out[0].HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * x.shape->back() * Dim(2);
}

}  // namespace

OpDef DynamicMatMul() {
  return {
      .name = "DynamicMatMul",
      .summary =
          "DequantizeLinear(x, x_scale, x_zero_point) times DequantizeLinear(w, w_scale, "
          "w_zero_point). Plans are made of such nodes; no model needs one.",
      .inputs = {{"x", "i8 or u8 [..., k]"},
                 {"x_scale", "f32 scalar"},
                 {"x_zero_point", "scalar of the type of x; 0 when omitted", kOptionalPort},
                 {"w", "i8 or u8 [k, n], or [n, k] with transB"},
                 {"w_scale", "scalar, or one per column of the product"},
                 {"w_zero_point", "type of w, shape of w_scale; 0 when omitted", kOptionalPort}},
      .outputs = {{"y", "f32 [..., n]"}},
      .attributes = Describe<DynamicMatMulAttrs>(),
      .infer = InferDynamicMatMul,
      .reference = DynamicMatMulReference,
      .flops = DynamicMatMulCost,
  };
}

}  // namespace athanor::ops
