// What element-wise operators share: type rules and the loops of their references.
#pragma once

#include <concepts>
#include <type_traits>

#include "ops/broadcast.h"

namespace athanor::ops {

// Fails, naming what is accepted, unless the input has one of the element types.
Status ExpectDType(const InferCtx& ctx, std::size_t input, std::span<const DType> accepted);
template <class... Ts>
Status ExpectDType(const InferCtx& ctx, std::size_t input, TypeList<Ts...>) {
  static constexpr DType kAccepted[] = {kDTypeOf<Ts>...};
  return ExpectDType(ctx, input, kAccepted);
}

// One output of the type of input 0.
Status InferSameAsInput(InferCtx& ctx);
// As above; fails unless floating point.
Status InferSameFloat(InferCtx& ctx);
// As above; fails unless the element type is in the list.
template <class Types>
Status InferUnary(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, Types{}));
  return InferSameAsInput(ctx);
}
// One or more inputs of one element type, broadcast together.
Status InferBroadcast(InferCtx& ctx);
// As above; fails unless the element type is in the list.
template <class Types>
Status InferBroadcastOf(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, Types{}));
  return InferBroadcast(ctx);
}
// Broadcast together, giving bool.
Status InferCompare(InferCtx& ctx);
// Sets out_ints[0] = fold(a, b, ...) element by element, when the values of all inputs are known
// and are integers (or bool): shape arithmetic.
void FollowInts(InferCtx& ctx, Dim (*fold)(const Dim&, const Dim&));

// An operator with one input x and one output y of the same shape.
OpDef UnaryOp(std::string name, std::string summary, std::string accepts,
              Status (*infer)(InferCtx&), Status (*reference)(RefCtx&),
              std::vector<AttrSpec> attributes = {});
// An operator with inputs a and b that broadcast, and one output c.
OpDef BinaryOp(std::string name, std::string summary, std::string accepts, Traits traits,
               Status (*infer)(InferCtx&), Status (*reference)(RefCtx&),
               std::vector<AttrSpec> attributes = {});

// Half and the 8-bit floats compute in float; every other type in itself.
template <class T>
using ComputeType = std::conditional_t<std::is_class_v<T> && std::is_convertible_v<T, float> &&
                                           !std::is_convertible_v<T, std::string>,
                                       float, T>;

// f(a, b) on integers with wrap-around instead of undefined overflow, as in every framework.
template <class T, class F>
T Wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    using Unsigned =
        std::conditional_t<(sizeof(T) < sizeof(unsigned)), unsigned, std::make_unsigned_t<T>>;
    return static_cast<T>(f(static_cast<Unsigned>(a), static_cast<Unsigned>(b)));
  } else {
    return static_cast<T>(f(a, b));
  }
}

// y[i] = f(x[i]) for the types of the list. f takes ComputeType and gives it, or Out.
template <class Out = void, class... Ts, class F>
Status MapUnary(RefCtx& ctx, TypeList<Ts...> types, F f) {
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using O = std::conditional_t<std::is_void_v<Out>, T, Out>;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<O>(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<O>(f(static_cast<ComputeType<T>>(x[i])));
    return {};
  });
}
template <class F>
Status MapFloat(RefCtx& ctx, F f) {
  return MapUnary(ctx, FloatTypes{}, f);
}

// y = f(a, b) with broadcasting; the output's element type is Out, or that of the inputs when void.
template <class Out = void, class... Ts, class F>
Status MapBinary(RefCtx& ctx, TypeList<Ts...> types, F f) {
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using O = std::conditional_t<std::is_void_v<Out>, T, Out>;
    using C = ComputeType<T>;
    O* y = ctx.OutData<O>(0).data();
    const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims()};
    for (BroadcastRuns runs(ctx.Out(0).dims(), inputs); !runs.done(); runs.Next()) {
      const T* a = ctx.Data<T>(0).data() + runs.offset(0);
      const T* b = ctx.Data<T>(1).data() + runs.offset(1);
      const std::int64_t step_a = runs.step(0), step_b = runs.step(1), length = runs.length();
      for (std::int64_t i = 0; i < length; ++i) {
        y[i] = static_cast<O>(
            f(static_cast<const C&>(a[i * step_a]), static_cast<const C&>(b[i * step_b])));
      }
      y += length;
    }
    return {};
  });
}

}  // namespace athanor::ops
