// A product with weights that stay integers in memory. Planners make such nodes of a
// DequantizeLinear and the MatMul or Gemm behind it; models have none (ADR 0063).
#include <array>

#include "ops/catalog.h"

namespace athanor::ops {
namespace {

struct DequantizedMatMulAttrs {
  std::int64_t axis = 1;
  std::int64_t block_size = 0;
  bool trans_b = false;

  template <class V>
  void Visit(V& v) {
    v("axis", axis, "axis of per-axis and blocked scales; negative counts from the end");
    v("block_size", block_size, "elements along the axis that share a scale; 0: not blocked");
    v("transB", trans_b, "whether w is given transposed");
  }
};

Status InferDequantizedMatMul(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<DequantizedMatMulAttrs>();
  std::vector<InferCtx::Input> inputs;
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i)
    inputs.push_back({.type = ctx.Has(i) ? &ctx.In(i) : nullptr});
  InferCtx weights(std::move(inputs), ctx.attributes(), {}, 1);
  ATH_RETURN_IF_ERROR(Standard().Find("DequantizeLinear")->infer(weights));
  if (ctx.InDType(0) != DType::kF32 || weights.out[0].dtype != DType::kF32) {
    return InvalidModel("{} times {}; f32 is expected", ctx.In(0).ToString(),
                        weights.out[0].ToString());
  }
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 2));
  if (!ctx.In(0).HasRank() || !ctx.In(1).HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(DType::kF32);
    return {};
  }
  Shape out = *ctx.In(0).shape;
  const Dim& inner = ctx.In(1).dim(attrs.trans_b ? 1 : 0);
  if (out.back().IsConst() && inner.IsConst() && !(out.back() == inner))
    return InvalidModel("inner dimensions differ: {} times {}", ctx.In(0).ToString(),
                        ctx.In(1).ToString());
  out.back() = ctx.In(1).dim(attrs.trans_b ? 0 : 1);
  ctx.out[0] = Type::Tensor(DType::kF32, std::move(out));
  return {};
}

// The references of the two operators, one after the other.
Status DequantizedMatMulReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<DequantizedMatMulAttrs>();
  ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, ctx.In(1).dims()));
  std::vector<Datum> reals = {Datum(std::move(real))};
  std::vector<Datum> integers = {ctx.InDatum(1), ctx.InDatum(2)};
  if (ctx.Has(3)) integers.push_back(ctx.InDatum(3));
  const AttrMap scaled = {{"axis", attrs.axis}, {"block_size", attrs.block_size}};
  RefCtx dequantize(integers, reals, scaled, {});
  ATH_RETURN_IF_ERROR(Standard().Find("DequantizeLinear")->reference(dequantize));

  const std::int64_t n = ctx.Out(0).dims().back(), k = ctx.In(0).dims().back();
  const std::int64_t m = n == 0 ? 0 : ctx.Out(0).count() / n;
  const std::array<Datum, 2> factors = {Datum(ctx.In(0).Reshaped({m, k})), reals[0]};
  std::vector<Datum> product = {Datum(ctx.Out(0).Reshaped({m, n}))};  // in the same memory
  const AttrMap turned = {{"transB", std::int64_t{attrs.trans_b}}};
  RefCtx multiply(factors, product, turned, {});
  return Standard().Find("Gemm")->reference(multiply);
}

Dim DequantizedMatMulCost(const CostCtx& ctx) {
  const Type& x = *ctx.in[0];
  if (!x.HasRank() || !ctx.out[0].HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * x.shape->back() * Dim(2);
}

}  // namespace

OpDef DequantizedMatMul() {
  return {
      .name = "DequantizedMatMul",
      .summary =
          "x times DequantizeLinear(w, w_scale, w_zero_point). Plans are made of such nodes; no "
          "model needs one.",
      .inputs = {{"x", "f32 [..., k]"},
                 {"w", "integers [k, n], or [n, k] with transB"},
                 {"w_scale", "scalar, vector along the axis, or blocks along the axis"},
                 {"w_zero_point", "type of w, shape of w_scale; 0 when omitted", kOptionalPort}},
      .outputs = {{"y", "f32 [..., n]"}},
      .attributes = Describe<DequantizedMatMulAttrs>(),
      .infer = InferDequantizedMatMul,
      .reference = DequantizedMatMulReference,
      .flops = DequantizedMatMulCost,
  };
}

}  // namespace athanor::ops
