// Max, Mean, Min, Sum of any number of tensors that broadcast together.
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/math/extremes.h"

namespace athanor::ops {
namespace {

template <Dim (*kFold)(const Dim&, const Dim&)>
Status InferExtreme(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferBroadcastOf<NumericTypes>(ctx));
  FollowInts(ctx, kFold);
  return {};
}

// y = finish(f(f(x0, x1), x2) ..., count).
template <class... Ts, class F, class G>
Status Fold(RefCtx& ctx, TypeList<Ts...> types, F f, G finish) {
  const std::size_t count = ctx.num_inputs();
  std::vector<const Dims*> inputs;
  for (std::size_t k = 0; k < count; ++k) inputs.push_back(&ctx.In(k).dims());
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    T* y = ctx.OutData<T>(0).data();
    std::vector<const T*> data(count);
    for (std::size_t k = 0; k < count; ++k) data[k] = ctx.Data<T>(k).data();
    for (BroadcastRuns runs(ctx.Out(0).dims(), inputs); !runs.done(); runs.Next()) {
      for (std::int64_t i = 0; i < runs.length(); ++i) {
        auto result = static_cast<C>(data[0][runs.offset(0) + i * runs.step(0)]);
        for (std::size_t k = 1; k < count; ++k)
          result = f(result, static_cast<C>(data[k][runs.offset(k) + i * runs.step(k)]));
        *y++ = static_cast<T>(finish(result, count));
      }
    }
    return {};
  });
}

constexpr auto kAsIs = [](auto x, std::size_t) { return x; };

// NaN wins, as in numpy.
Status MaxReference(RefCtx& ctx) {
  return Fold(
      ctx, NumericTypes{}, [](auto a, auto b) { return a != a || a > b ? a : b; }, kAsIs);
}
Status MinReference(RefCtx& ctx) {
  return Fold(
      ctx, NumericTypes{}, [](auto a, auto b) { return a != a || a < b ? a : b; }, kAsIs);
}
Status SumReference(RefCtx& ctx) {
  return Fold(
      ctx, FloatTypes{}, [](auto a, auto b) { return a + b; }, kAsIs);
}
Status MeanReference(RefCtx& ctx) {
  return Fold(
      ctx, FloatTypes{}, [](auto a, auto b) { return a + b; },
      [](auto sum, std::size_t count) { return sum / static_cast<decltype(sum)>(count); });
}

Dim VariadicCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * Dim(static_cast<std::int64_t>(ctx.in.size()));
}

OpDef Variadic(std::string name, std::string summary, std::string accepts,
               Status (*infer)(InferCtx&), Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", std::move(accepts) + "; all of one element type", kVariadicPort}},
      .outputs = {{"y", "broadcast shape of all inputs"}},
      .traits = kPure | kElementwise | kCommutative,
      .infer = infer,
      .reference = reference,
      .flops = VariadicCost,
  };
}

}  // namespace

OpDef Max() {
  return Variadic("Max", "The largest of the inputs, elementwise with broadcasting; NaN wins.",
                  "numeric", InferExtreme<FoldMax>, MaxReference);
}
OpDef Mean() {
  return Variadic("Mean", "The mean of the inputs, elementwise with broadcasting.",
                  "floating point", InferBroadcastOf<FloatTypes>, MeanReference);
}
OpDef Min() {
  return Variadic("Min", "The smallest of the inputs, elementwise with broadcasting; NaN wins.",
                  "numeric", InferExtreme<FoldMin>, MinReference);
}
OpDef Sum() {
  return Variadic("Sum", "The sum of the inputs, elementwise with broadcasting.", "floating point",
                  InferBroadcastOf<FloatTypes>, SumReference);
}

}  // namespace athanor::ops
