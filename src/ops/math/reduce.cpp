// ReduceL1, ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceMax, ReduceMean, ReduceMin, ReduceProd,
// ReduceSum, ReduceSumSquare.
//
// Each is a function of a list of numbers; the list of an empty set gives the neutral element.
// Floating-point lists are double, integer lists wrap around in their own type.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elementwise.h"
#include "ops/math/axes.h"
#include "ops/math/extremes.h"
#include "ops/math/number.h"
#include "ops/quant/fixed31.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

using SumTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::uint64_t,
                          std::uint32_t>;
using ExtremeTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t,
                              std::uint64_t, std::uint32_t, std::int8_t, std::uint8_t, bool>;

struct ReduceAttrs {
  bool keepdims = true;
  bool noop_with_empty_axes = false;
  template <class V>
  void Visit(V& v) {
    v("keepdims", keepdims, "whether reduced dimensions stay, as 1");
    v("noop_with_empty_axes", noop_with_empty_axes,
      "what no axes mean: 0: all axes; 1: none, each element is a list of its own");
  }
};

// The axes to reduce, sorted, when the axes input says (or nothing was given).
Result<std::vector<std::int64_t>> Axes(std::span<const std::int64_t> given, std::int64_t rank,
                                       bool noop) {
  std::vector<std::int64_t> axes;
  if (!given.empty()) {
    ATH_TRY(axes, NormalizeAxes(given, rank));
    std::sort(axes.begin(), axes.end());
    return axes;
  }
  for (std::int64_t axis = 0; !noop && axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

// How many axes, when only the shape of the axes input is known.
std::optional<std::int64_t> AxesCount(const Type& axes) {
  if (!axes.HasRank() || axes.rank() != 1 || !axes.dim(0).IsConst()) return std::nullopt;
  return axes.dim(0).value();
}

Type ShapeWithoutAxes(const InferCtx& ctx, bool keepdims) {
  const Type& x = ctx.In(0);
  if (!x.HasRank()) return Type::TensorOfUnknownRank(x.dtype);
  if (keepdims) return Type::Tensor(x.dtype, Shape(x.shape->size()));
  const std::optional<std::int64_t> count = AxesCount(ctx.In(1));
  // No axes may mean all or none.
  if (!count || *count <= 0 || *count > x.rank()) return Type::TensorOfUnknownRank(x.dtype);
  return Type::Tensor(x.dtype, Shape(static_cast<std::size_t>(x.rank() - *count)));
}

template <class Types>
Status InferReduce(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, Types{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  if (ctx.Has(1)) ATH_RETURN_IF_ERROR(ExpectDType(ctx, 1, TypeList<std::int64_t>{}));
  const auto attrs = ctx.Attrs<ReduceAttrs>();
  const Type& x = ctx.In(0);
  const std::optional<std::vector<std::int64_t>> given =
      ctx.Has(1) ? ctx.ConstInts(1) : std::vector<std::int64_t>();
  if (!given || !x.HasRank()) {
    ctx.out[0] = given && given->empty() && !attrs.noop_with_empty_axes && !attrs.keepdims
                     ? Type::Tensor(x.dtype, {})
                 : given ? Type::TensorOfUnknownRank(x.dtype)
                         : ShapeWithoutAxes(ctx, attrs.keepdims);
    return {};
  }
  ATH_TRY(const std::vector<std::int64_t> axes, Axes(*given, x.rank(), attrs.noop_with_empty_axes));
  ctx.out[0] = Type::Tensor(x.dtype, ReducedShape(*x.shape, axes, attrs.keepdims));
  return {};
}

// Shape arithmetic: the product, sum, ... of the dimensions in a shape vector.
template <Dim (*kFold)(const Dim&, const Dim&)>
void FollowList(InferCtx& ctx) {
  const std::optional<Shape> list = ctx.Ints(0);
  const bool one = ctx.out[0].HasRank() && ElementCount(*ctx.out[0].shape).Is(1);
  if (!list || list->empty() || !one || !ctx.In(0).HasRank() || ctx.In(0).rank() != 1 ||
      !IsInteger(ctx.InDType(0)))
    return;
  Dim result = list->front();
  for (std::size_t i = 1; i < list->size(); ++i) result = kFold(result, (*list)[i]);
  ctx.out_ints[0] = Shape{result};
}

template <class Types, Dim (*kFold)(const Dim&, const Dim&)>
Status InferFollowing(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferReduce<Types>(ctx));
  FollowList<kFold>(ctx);
  return {};
}

Dim FoldSum(const Dim& a, const Dim& b) { return a + b; }
Dim FoldProduct(const Dim& a, const Dim& b) { return a * b; }

// Where the kept elements start, and where the elements of each list lie from there.
struct Lists {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> members;
};

Result<Lists> FindLists(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ReduceAttrs>();
  const Dims& dims = ctx.In(0).dims();
  std::vector<std::int64_t> given;
  if (ctx.Has(1)) {
    ATH_TRY(given, ToInts(ctx.In(1)));
  }
  ATH_TRY(const std::vector<std::int64_t> axes,
          Axes(given, ctx.In(0).rank(), attrs.noop_with_empty_axes));
  const Dims strides = Strides(dims);
  Dims kept, kept_strides, reduced, reduced_strides, out;
  std::size_t next = 0;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const bool is_reduced = next < axes.size() && axes[next] == static_cast<std::int64_t>(axis);
    if (is_reduced) ++next;
    (is_reduced ? reduced : kept).push_back(dims[axis]);
    (is_reduced ? reduced_strides : kept_strides).push_back(strides[axis]);
    if (!is_reduced || attrs.keepdims) out.push_back(is_reduced ? 1 : dims[axis]);
  }
  if (!ctx.Out(0).defined()) ATH_RETURN_IF_ERROR(ctx.Allocate(0, ctx.In(0).dtype(), out));
  Lists lists;
  lists.starts = Offsets(kept, kept_strides);
  if (!lists.starts.empty()) lists.members = Offsets(reduced, reduced_strides);
  return lists;
}

// What the numbers of a list are computed in.
template <class T>
using ListType = std::conditional_t<std::is_integral_v<T>, T, double>;

// y[i] = f(list i) where f takes a span of ListType and gives one.
template <class... Ts, class F>
Status Reduce(RefCtx& ctx, TypeList<Ts...> types, F f) {
  ATH_TRY(const Lists lists, FindLists(ctx));
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using L = ListType<T>;
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    const auto list = std::make_unique<L[]>(lists.members.size());
    for (const std::int64_t start : lists.starts) {
      std::size_t n = 0;
      for (const std::int64_t member : lists.members) list[n++] = static_cast<L>(x[start + member]);
      *y++ = static_cast<T>(f(std::span<const L>(list.get(), n)));
    }
    return {};
  });
}

template <class L, class F>
L SumOf(std::span<const L> list, F f) {
  L sum = 0;
  for (const L x : list) sum = Wrapping(sum, f(x), [](auto a, auto b) { return a + b; });
  return sum;
}

template <class L>
L Square(L x) {
  return Wrapping(x, x, [](auto a, auto b) { return a * b; });
}

template <class L>
L Magnitude(L x) {
  return x < 0 ? Wrapping(L(0), x, [](auto a, auto b) { return a - b; }) : x;
}

constexpr auto kSum = [](auto list) { return SumOf(list, [](auto x) { return x; }); };
constexpr auto kSumSquare = [](auto list) { return SumOf(list, [](auto x) { return Square(x); }); };
constexpr auto kL1 = [](auto list) { return SumOf(list, [](auto x) { return Magnitude(x); }); };

constexpr auto kMean = [](auto list) {
  using L = typename decltype(list)::value_type;
  if (std::is_integral_v<L> && list.empty()) return L(0);
  return static_cast<L>(kSum(list) / static_cast<L>(list.size()));
};

constexpr auto kProduct = [](auto list) {
  typename decltype(list)::value_type product = 1;
  for (const auto x : list) product = Wrapping(product, x, [](auto a, auto b) { return a * b; });
  return product;
};

// These leave the integers on the way.
constexpr auto kL2 = [](auto list) {
  using L = typename decltype(list)::value_type;
  double sum = 0;
  for (const auto x : list) sum += static_cast<double>(x) * static_cast<double>(x);
  return SaturateCast<L>(std::sqrt(sum));
};

constexpr auto kLogSum = [](auto list) {
  using L = typename decltype(list)::value_type;
  return SaturateCast<L>(std::log(static_cast<double>(kSum(list))));
};

constexpr auto kLogSumExp = [](auto list) {
  using L = typename decltype(list)::value_type;
  double largest = -std::numeric_limits<double>::infinity();
  for (const auto x : list) largest = std::fmax(largest, static_cast<double>(x));
  // Shifted by the largest, so that exp does not overflow; an infinite shift would give NaN.
  const double shift = std::isinf(largest) ? 0 : largest;
  double sum = 0;
  for (const auto x : list) sum += std::exp(static_cast<double>(x) - shift);
  return SaturateCast<L>(std::log(sum) + shift);
};

// The end of the range that every number beats.
template <class L>
constexpr L Lowest() {
  return std::numeric_limits<L>::has_infinity ? -std::numeric_limits<L>::infinity()
                                              : std::numeric_limits<L>::lowest();
}
template <class L>
constexpr L Highest() {
  return std::numeric_limits<L>::has_infinity ? std::numeric_limits<L>::infinity()
                                              : std::numeric_limits<L>::max();
}

// NaN wins, as in numpy.
constexpr auto kMax = [](auto list) {
  auto best = Lowest<typename decltype(list)::value_type>();
  for (const auto x : list) best = best != best || best > x ? best : x;
  return best;
};
constexpr auto kMin = [](auto list) {
  auto best = Highest<typename decltype(list)::value_type>();
  for (const auto x : list) best = best != best || best < x ? best : x;
  return best;
};

Dim ReduceCost(const CostCtx& ctx) {
  return ctx.in[0]->HasRank() ? ElementCount(*ctx.in[0]->shape) : Dim::Unknown();
}

OpDef Reduction(std::string name, const std::string& what, Status (*infer)(InferCtx&),
                Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = what + " over the given axes.",
      .inputs = {{"data", "numeric"},
                 {"axes", "i64[number of axes]; omitted or empty: see noop_with_empty_axes",
                  kOptionalPort}},
      .outputs = {{"reduced", "same element type as data"}},
      .attributes = Describe<ReduceAttrs>(),
      .infer = infer,
      .reference = reference,
      .flops = ReduceCost,
  };
}

}  // namespace

OpDef ReduceL1() {
  return Reduction("ReduceL1", "The sum of magnitudes", InferReduce<SumTypes>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kL1); });
}
OpDef ReduceL2() {
  return Reduction("ReduceL2", "The square root of the sum of squares", InferReduce<SumTypes>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kL2); });
}
OpDef ReduceLogSum() {
  return Reduction("ReduceLogSum", "The logarithm of the sum", InferReduce<SumTypes>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kLogSum); });
}
OpDef ReduceLogSumExp() {
  return Reduction("ReduceLogSumExp", "The logarithm of the sum of exponentials",
                   InferReduce<SumTypes>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kLogSumExp); });
}
OpDef ReduceMax() {
  return Reduction("ReduceMax", "The largest element", InferFollowing<ExtremeTypes, FoldMax>,
                   [](RefCtx& ctx) { return Reduce(ctx, ExtremeTypes{}, kMax); });
}
OpDef ReduceMean() {
  OpDef op = Reduction("ReduceMean", "The mean", InferReduce<SumTypes>,
                       [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kMean); });
  op.fixed31 = ReduceMeanFixed31;
  return op;
}
OpDef ReduceMin() {
  return Reduction("ReduceMin", "The smallest element", InferFollowing<ExtremeTypes, FoldMin>,
                   [](RefCtx& ctx) { return Reduce(ctx, ExtremeTypes{}, kMin); });
}
OpDef ReduceProd() {
  return Reduction("ReduceProd", "The product", InferFollowing<SumTypes, FoldProduct>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kProduct); });
}
OpDef ReduceSum() {
  return Reduction("ReduceSum", "The sum", InferFollowing<SumTypes, FoldSum>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kSum); });
}
OpDef ReduceSumSquare() {
  return Reduction("ReduceSumSquare", "The sum of squares", InferReduce<SumTypes>,
                   [](RefCtx& ctx) { return Reduce(ctx, SumTypes{}, kSumSquare); });
}

}  // namespace athanor::ops
