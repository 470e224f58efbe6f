// GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one number per channel.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/gradient.h"
#include "ops/nn/nn.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

Status InferGlobalPool(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ctx.out[0] = ctx.In(0);
  if (!ctx.out[0].HasRank()) return {};
  Shape& shape = *ctx.out[0].shape;
  std::fill(shape.begin() + 2, shape.end(), Dim(1));
  return {};
}

// y = f(the elements of one channel of one image)
template <class F>
Status PerPlane(RefCtx& ctx, F f) {
  const Dims& dims = ctx.In(0).dims();
  const std::int64_t plane = CountOf(std::span(dims).subspan(2));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const T* x = ctx.Data<T>(0).data();
    for (T& y : ctx.OutData<T>(0)) {
      y = static_cast<T>(
          f(std::span<const T>(x, static_cast<std::size_t>(plane)), ComputeType<T>(0)));
      x += plane;
    }
    return {};
  });
}

Status GlobalAverageReference(RefCtx& ctx) {
  return PerPlane(ctx, [](auto plane, auto sum) {
    for (const auto& x : plane) sum += static_cast<decltype(sum)>(x);
    return plane.empty() ? sum : sum / static_cast<decltype(sum)>(plane.size());
  });
}

Status GlobalMaxReference(RefCtx& ctx) {
  return PerPlane(ctx, [](auto plane, auto best) {
    using Number = decltype(best);
    best = -std::numeric_limits<Number>::infinity();
    for (const auto& x : plane) {
      const auto value = static_cast<Number>(x);
      if (value > best || value != value) best = value;
    }
    return best;
  });
}

struct LpAttrs {
  std::int64_t p = 2;
  template <class V>
  void Visit(V& v) {
    v("p", p, "which norm: (sum of |x|^p)^(1/p)");
  }
};

Status InferGlobalLp(InferCtx& ctx) {
  if (ctx.Attrs<LpAttrs>().p < 1)
    return InvalidModel("p is {}; 1 or more is expected", ctx.Attrs<LpAttrs>().p);
  return InferGlobalPool(ctx);
}

Status GlobalLpReference(RefCtx& ctx) {
  const std::int64_t power = ctx.Attrs<LpAttrs>().p;
  return PerPlane(ctx, [power](auto plane, auto sum) {
    using Number = decltype(sum);
    const auto p = static_cast<Number>(power);
    for (const auto& x : plane) sum += std::pow(std::abs(static_cast<Number>(x)), p);
    return std::pow(sum, 1 / p);
  });
}

Dim GlobalPoolCost(const CostCtx& ctx) {
  return ctx.in[0]->HasRank() ? ElementCount(*ctx.in[0]->shape) : Dim::Unknown();
}

OpDef Global(std::string name, std::string summary, Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "[n, c, d1, ..., dk], floating point"}},
      .outputs = {{"y", "[n, c, 1, ..., 1]"}},
      .infer = InferGlobalPool,
      .reference = reference,
      .flops = GlobalPoolCost,
  };
}

// Every element of a channel had the same share.
Status AverageGradient(GradientCtx& ctx) {
  const Dims& dims = ctx.InDims(0);
  const auto plane = static_cast<double>(CountOf(std::span(dims).subspan(2)));
  const ValueId share = ctx.Op("Mul", {ctx.DOut(), ctx.Number(1 / plane)});
  ctx.Set(0, ctx.Op("Expand", {share, ctx.Integers(dims)}));
  return {};
}

}  // namespace

OpDef GlobalAveragePool() {
  OpDef op = Global("GlobalAveragePool", "The mean of each channel.", GlobalAverageReference);
  op.fixed31 = GlobalAveragePoolFixed31;
  op.gradient = AverageGradient;
  return op;
}
OpDef GlobalMaxPool() {
  return Global("GlobalMaxPool", "The largest element of each channel.", GlobalMaxReference);
}
OpDef GlobalLpPool() {
  OpDef op = Global("GlobalLpPool", "The p-norm of each channel.", GlobalLpReference);
  op.attributes = Describe<LpAttrs>();
  op.infer = InferGlobalLp;
  return op;
}

}  // namespace athanor::ops
