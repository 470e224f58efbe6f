// Operators along one axis: ArgMax, ArgMin, CumProd, CumSum, Hardmax, LogSoftmax, Softmax.
#include <cmath>

#include "ops/elementwise.h"
#include "ops/math/axes.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

struct ArgAttrs {
  std::int64_t axis = 0;
  bool keepdims = true;
  bool select_last_index = false;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "where to look; negative counts from the end");
    v("keepdims", keepdims, "whether the axis stays, as 1");
    v("select_last_index", select_last_index, "which of equal elements counts: 0 first, 1 last");
  }
};

Status InferArg(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, NumericTypes{}));
  const auto attrs = ctx.Attrs<ArgAttrs>();
  const Type& x = ctx.In(0);
  if (!x.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(DType::kI64);
    return {};
  }
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, x.rank()));
  if (x.dim(axis).Is(0)) return InvalidModel("axis {} of {} is empty", axis, x.ToString());
  const std::int64_t axes[] = {axis};
  ctx.out[0] = Type::Tensor(DType::kI64, ReducedShape(*x.shape, axes, attrs.keepdims));
  return {};
}

// better(a, b): a is preferred to b. NaN is preferred to every number, as in numpy.
template <class F>
Status ArgReference(RefCtx& ctx, F better) {
  const auto attrs = ctx.Attrs<ArgAttrs>();
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, ctx.In(0).rank()));
  const AxisView view = AlongAxis(ctx.In(0).dims(), axis);
  std::int64_t* y = ctx.OutData<std::int64_t>(0).data();
  return Dispatch(NumericTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    for (std::int64_t i = 0; i < view.outer; ++i) {
      for (std::int64_t k = 0; k < view.inner; ++k) {
        const T* x = ctx.Data<T>(0).data() + i * view.length * view.inner + k;
        std::int64_t best = 0;
        for (std::int64_t j = 1; j < view.length; ++j) {
          const auto a = static_cast<C>(x[j * view.inner]);
          const auto b = static_cast<C>(x[best * view.inner]);
          const bool equal = a == b || (a != a && b != b);
          if (equal ? attrs.select_last_index : (b == b && (a != a || better(a, b)))) best = j;
        }
        *y++ = best;
      }
    }
    return {};
  });
}

OpDef Arg(std::string name, const std::string& which, Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = "The index of the " + which + " element along an axis.",
      .inputs = {{"data", "numeric"}},
      .outputs = {{"reduced", "i64"}},
      .attributes = Describe<ArgAttrs>(),
      .infer = InferArg,
      .reference = reference,
      .flops =
          [](const CostCtx& ctx) {
            return ctx.in[0]->HasRank() ? ElementCount(*ctx.in[0]->shape) : Dim::Unknown();
          },
  };
}

struct CumulativeAttrs {
  bool exclusive = false;
  bool reverse = false;
  template <class V>
  void Visit(V& v) {
    v("exclusive", exclusive, "whether an element is left out of its own result");
    v("reverse", reverse, "whether to start from the end");
  }
};

using CumulativeTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t,
                                 std::uint64_t, std::uint32_t>;

Status InferCumulative(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferUnary<CumulativeTypes>(ctx));
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 1, TypeList<std::int64_t, std::int32_t>{}));
  const std::optional<std::vector<std::int64_t>> axis = ctx.ConstInts(1);
  if (!axis) return {};
  if (axis->size() != 1)
    return InvalidModel("axis: one number is expected, {} are given", axis->size());
  return ExpectAxis(ctx, 0, axis->front());
}

template <class F>
Status CumulativeReference(RefCtx& ctx, int neutral, F f) {
  const auto attrs = ctx.Attrs<CumulativeAttrs>();
  ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(1)));
  if (given.size() != 1)
    return DataError("axis: one number is expected, {} are given", given.size());
  ATH_TRY(const std::int64_t axis, NormalizeAxis(given[0], ctx.In(0).rank()));
  const AxisView view = AlongAxis(ctx.In(0).dims(), axis);
  return Dispatch(CumulativeTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    for (std::int64_t i = 0; i < view.outer; ++i) {
      for (std::int64_t k = 0; k < view.inner; ++k) {
        const std::int64_t base = i * view.length * view.inner + k;
        auto total = static_cast<C>(neutral);
        for (std::int64_t step = 0; step < view.length; ++step) {
          const std::int64_t j = attrs.reverse ? view.length - 1 - step : step;
          const std::int64_t at = base + j * view.inner;
          const C before = total;
          total = Wrapping(total, static_cast<C>(ctx.Data<T>(0).data()[at]), f);
          ctx.OutData<T>(0).data()[at] = static_cast<T>(attrs.exclusive ? before : total);
        }
      }
    }
    return {};
  });
}

OpDef Cumulative(std::string name, const std::string& what, Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = "The " + what + " of all elements up to each one along an axis.",
      .inputs = {{"x", "floating point or 32/64-bit integer"}, {"axis", "one i32 or i64"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<CumulativeAttrs>(),
      .infer = InferCumulative,
      .reference = reference,
  };
}

struct SoftmaxAttrs {
  std::int64_t axis = -1;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which the results add up; negative counts from the end");
  }
};

Status InferSoftmax(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferSameFloat(ctx));
  return ExpectAxis(ctx, 0, ctx.Attrs<SoftmaxAttrs>().axis);
}

// f changes a line of numbers in place.
Status MapLines(RefCtx& ctx, void (*f)(std::span<double>)) {
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<SoftmaxAttrs>().axis, ctx.In(0).rank()));
  const AxisView view = AlongAxis(ctx.In(0).dims(), axis);
  std::vector<double> line(static_cast<std::size_t>(view.length));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    for (std::int64_t i = 0; i < view.outer; ++i) {
      for (std::int64_t k = 0; k < view.inner; ++k) {
        const T* x = ctx.Data<T>(0).data() + i * view.length * view.inner + k;
        T* y = ctx.OutData<T>(0).data() + i * view.length * view.inner + k;
        for (double& value : line) value = static_cast<double>(*x), x += view.inner;
        f(line);
        for (const double value : line) *y = static_cast<T>(value), y += view.inner;
      }
    }
    return {};
  });
}

// Shifts by the largest, which changes nothing but keeps exp from overflowing; gives the sum of
// exp.
double ShiftAndSum(std::span<double> line) {
  double largest = -INFINITY, sum = 0;
  for (const double value : line) largest = std::fmax(largest, value);
  for (double& value : line) value -= largest;
  for (const double value : line) sum += std::exp(value);
  return sum;
}

void SoftmaxLine(std::span<double> line) {
  const double sum = ShiftAndSum(line);
  for (double& value : line) value = std::exp(value) / sum;
}

void LogSoftmaxLine(std::span<double> line) {
  const double log_sum = std::log(ShiftAndSum(line));
  for (double& value : line) value -= log_sum;
}

void HardmaxLine(std::span<double> line) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] > line[best]) best = i;
  }
  for (std::size_t i = 0; i < line.size(); ++i) line[i] = i == best ? 1 : 0;
}

OpDef Line(std::string name, std::string summary, Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "floating point, rank 1 or more"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<SoftmaxAttrs>(),
      .infer = InferSoftmax,
      .reference = reference,
      // Largest, difference, exponential, sum, quotient.
      .flops =
          [](const CostCtx& ctx) {
            return ctx.out[0].HasRank() ? ElementCount(*ctx.out[0].shape) * Dim(5) : Dim::Unknown();
          },
  };
}

}  // namespace

OpDef ArgMax() {
  return Arg("ArgMax", "largest",
             [](RefCtx& ctx) { return ArgReference(ctx, [](auto a, auto b) { return a > b; }); });
}
OpDef ArgMin() {
  return Arg("ArgMin", "smallest",
             [](RefCtx& ctx) { return ArgReference(ctx, [](auto a, auto b) { return a < b; }); });
}
OpDef CumProd() {
  return Cumulative("CumProd", "product", [](RefCtx& ctx) {
    return CumulativeReference(ctx, 1, [](auto a, auto b) { return a * b; });
  });
}
OpDef CumSum() {
  return Cumulative("CumSum", "sum", [](RefCtx& ctx) {
    return CumulativeReference(ctx, 0, [](auto a, auto b) { return a + b; });
  });
}
OpDef Hardmax() {
  return Line("Hardmax", "1 at the first largest element along an axis, 0 elsewhere.",
              [](RefCtx& ctx) { return MapLines(ctx, HardmaxLine); });
}
OpDef LogSoftmax() {
  return Line("LogSoftmax", "The logarithm of Softmax.",
              [](RefCtx& ctx) { return MapLines(ctx, LogSoftmaxLine); });
}
OpDef Softmax() {
  OpDef op = Line("Softmax", "exp(x) divided by its sum along an axis.",
                  [](RefCtx& ctx) { return MapLines(ctx, SoftmaxLine); });
  op.fixed31 = SoftmaxFixed31;
  return op;
}

}  // namespace athanor::ops
