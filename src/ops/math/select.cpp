// Where and Clip.
#include <complex>

#include "ir/gradient.h"
#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

// Shape arithmetic through a choice that is known, or that does not matter.
void FollowChoice(InferCtx& ctx) {
  const std::optional<Shape> chosen = ctx.Ints(0), x = ctx.Ints(1), y = ctx.Ints(2);
  const bool is_list = ctx.out[0].HasRank() && ctx.out[0].rank() <= 1;
  if (!is_list || !IsInteger(ctx.InDType(1)) || !chosen || !x || !y) return;
  std::size_t count = 1;
  for (const Shape* values : {&*chosen, &*x, &*y}) {
    if (values->size() != 1) count = values->size();
  }
  Shape result;
  for (std::size_t i = 0; i < count; ++i) {
    const auto at = [i](const Shape& values) { return values[values.size() == 1 ? 0 : i]; };
    const Dim choice = at(*chosen), a = at(*x), b = at(*y);
    result.push_back(choice.IsConst() ? (choice.Is(0) ? b : a)
                                      : (ProvablyEqual(a, b) ? a : Dim::Unknown()));
  }
  ctx.out_ints[0] = std::move(result);
}

Status InferWhere(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, TypeList<bool>{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(1, 2));
  ATH_TRY(ctx.out[0], BroadcastInputs(ctx, ctx.InDType(1), 0, 3));
  FollowChoice(ctx);
  return {};
}

// Elements of one size are copied alike, whatever they mean.
template <class T>
void Choose(RefCtx& ctx) {
  const auto* condition = static_cast<const bool*>(ctx.In(0).raw());
  const auto* x = static_cast<const T*>(ctx.In(1).raw());
  const auto* y = static_cast<const T*>(ctx.In(2).raw());
  auto* out = static_cast<T*>(ctx.Out(0).mutable_raw());
  const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims(), &ctx.In(2).dims()};
  for (BroadcastRuns runs(ctx.Out(0).dims(), inputs); !runs.done(); runs.Next()) {
    for (std::int64_t i = 0; i < runs.length(); ++i) {
      *out++ = condition[runs.offset(0) + i * runs.step(0)] ? x[runs.offset(1) + i * runs.step(1)]
                                                            : y[runs.offset(2) + i * runs.step(2)];
    }
  }
}

Status WhereReference(RefCtx& ctx) {
  const DType dtype = ctx.In(1).dtype();
  if (dtype == DType::kString) {
    Choose<std::string>(ctx);
    return {};
  }
  switch (ElementBytes(dtype)) {
    case 1:
      Choose<std::uint8_t>(ctx);
      return {};
    case 2:
      Choose<std::uint16_t>(ctx);
      return {};
    case 4:
      Choose<std::uint32_t>(ctx);
      return {};
    case 8:
      Choose<std::uint64_t>(ctx);
      return {};
    case 16:
      Choose<std::complex<double>>(ctx);
      return {};
    default:
      return Error(ErrorCode::kUnsupportedType, "{} is not accepted here", Name(dtype));
  }
}

Status InferClip(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<NumericTypes>(ctx));
  for (std::size_t bound = 1; bound <= 2; ++bound) {
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, bound));
    if (!ctx.Has(bound)) continue;
    const Type& type = ctx.In(bound);
    if (type.HasRank() && ElementCount(*type.shape).IsConst() && !ElementCount(*type.shape).Is(1))
      return InvalidModel("input {}: one number is expected, {} is given", bound, type.ToString());
  }
  return {};
}

Status ClipReference(RefCtx& ctx) {
  for (std::size_t bound = 1; bound <= 2; ++bound) {
    if (ctx.Has(bound) && ctx.In(bound).count() != 1)
      return DataError("input {}: one number is expected, {} are given", bound,
                       ctx.In(bound).count());
  }
  return Dispatch(NumericTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    const T* low = ctx.Has(1) ? ctx.Data<T>(1).data() : nullptr;
    const T* high = ctx.Has(2) ? ctx.Data<T>(2).data() : nullptr;
    // High wins where the bounds cross; NaN passes.
    return MapUnary(ctx, TypeList<T>{}, [low, high](C x) {
      if (low != nullptr && x < static_cast<C>(*low)) x = static_cast<C>(*low);
      if (high != nullptr && x > static_cast<C>(*high)) x = static_cast<C>(*high);
      return x;
    });
  });
}

// dx = dy where y lies between the bounds; bounds have no derivative.
Status ClipGradient(GradientCtx& ctx) {
  ValueId dx = ctx.DOut();
  const auto has = [&](std::size_t i) { return i < ctx.num_inputs() && ctx.In(i) != kNoValue; };
  if (has(1)) dx = ctx.Op("Mul", {dx, ctx.Op("Sign", {ctx.Op("Sub", {ctx.Out(0), ctx.In(1)})})});
  if (has(2)) dx = ctx.Op("Mul", {dx, ctx.Op("Sign", {ctx.Op("Sub", {ctx.In(2), ctx.Out(0)})})});
  ctx.Set(0, dx);
  return {};
}

}  // namespace

OpDef Clip() {
  return {
      .name = "Clip",
      .summary = "min(max(x, min), max), elementwise; an omitted bound does not limit.",
      .inputs = {{"x", "any shape, numeric"},
                 {"min", "one number of the type of x", kOptionalPort},
                 {"max", "one number of the type of x", kOptionalPort}},
      .outputs = {{"y", "same shape and type as x"}},
      .traits = kPure | kElementwise,
      .infer = InferClip,
      .reference = ClipReference,
      .gradient = ClipGradient,
  };
}

OpDef Where() {
  return {
      .name = "Where",
      .summary = "x where the condition is true, y elsewhere; all three broadcast together.",
      .inputs = {{"condition", "bool"}, {"x", "any type"}, {"y", "same element type as x"}},
      .outputs = {{"z", "broadcast shape of all three"}},
      .traits = kPure | kElementwise,
      .infer = InferWhere,
      .reference = WhereReference,
  };
}

}  // namespace athanor::ops
