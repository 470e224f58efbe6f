// What element-wise operators share: type rules and the loops of their references.
#pragma once

#include <concepts>
#include <type_traits>

#include "ops/broadcast.h"

namespace athanor::ops {

// One output of the type of input 0.
Status InferSameAsInput(InferCtx& ctx);
// As above; fails unless floating point.
Status InferSameFloat(InferCtx& ctx);
// Two or more inputs of one element type, broadcast together. Follows the values of small integer
// tensors through `fold`, when given (shape arithmetic).
Status InferBroadcast(InferCtx& ctx);
// Broadcast together, giving bool.
Status InferCompare(InferCtx& ctx);
// Sets out_ints[0] = fold(a, b) element by element, when both inputs' values are known.
void FollowInts(InferCtx& ctx, Dim (*fold)(const Dim&, const Dim&));

// Half and the 8-bit floats compute in float; every other type in itself.
template <class T>
using ComputeType =
    std::conditional_t<std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float, T>;

// y[i] = f(x[i]) for the types of the list. f takes and gives ComputeType.
template <class... Ts, class F>
Status MapUnary(RefCtx& ctx, TypeList<Ts...> types, F f) {
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < x.size(); ++i)
      y[i] = static_cast<T>(f(static_cast<ComputeType<T>>(x[i])));
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
    const auto a = ctx.Data<T>(0);
    const auto b = ctx.Data<T>(1);
    const auto y = ctx.OutData<O>(0);
    const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims()};
    std::size_t i = 0;
    for (BroadcastWalk walk(ctx.Out(0).dims(), inputs); !walk.done(); walk.Next()) {
      const T& x = a[static_cast<std::size_t>(walk.offset(0))];
      const T& z = b[static_cast<std::size_t>(walk.offset(1))];
      y[i++] = static_cast<O>(
          f(static_cast<const ComputeType<T>&>(x), static_cast<const ComputeType<T>&>(z)));
    }
    return {};
  });
}

}  // namespace athanor::ops
