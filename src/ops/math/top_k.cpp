// TopK: the k largest or smallest elements along an axis, and where they are.
#include <algorithm>
#include <numeric>

#include "ops/elementwise.h"
#include "ops/math/axes.h"

namespace athanor::ops {
namespace {

struct TopKAttrs {
  std::int64_t axis = -1;
  bool largest = true;
  bool sorted = true;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which to look; negative counts from the end");
    v("largest", largest, "1: the largest elements; 0: the smallest");
    v("sorted", sorted, "whether the best comes first; 0 allows any order");
  }
};

Status CheckK(std::int64_t k, const Dim& length) {
  if (k < 0 || (length.IsConst() && k > length.value()))
    return InvalidModel("k is {}; 0 to {} are accepted", k, length.ToString());
  return {};
}

Status InferTopK(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, NumericTypes{}));
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 1, TypeList<std::int64_t>{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  const Type& x = ctx.In(0);
  Type out = x;
  if (x.HasRank()) {
    ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<TopKAttrs>().axis, x.rank()));
    Dim& length = (*out.shape)[static_cast<std::size_t>(axis)];
    const std::optional<Shape> k = ctx.Ints(1);
    if (k && k->size() != 1)
      return InvalidModel("k: one number is expected, {} are given", k->size());
    if (k && k->front().IsConst()) ATH_RETURN_IF_ERROR(CheckK(k->front().value(), length));
    length = k ? k->front() : Dim::Unknown();
  }
  ctx.out[0] = out;
  out.dtype = DType::kI64;
  if (ctx.num_outputs() > 1) ctx.out[1] = std::move(out);
  return {};
}

// A strict order, also with NaN, which counts as larger than every number. Equal elements keep
// their order: the lower index comes first.
template <class C>
bool Above(C a, C b) {
  return a > b || (a != a && b == b);
}

Status TopKReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<TopKAttrs>();
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, ctx.In(0).rank()));
  const AxisView view = AlongAxis(ctx.In(0).dims(), axis);
  const std::int64_t k = ctx.Out(0).dim(axis);
  std::int64_t* where =
      ctx.num_outputs() > 1 && ctx.Out(1).defined() ? ctx.OutData<std::int64_t>(1).data() : nullptr;
  return Dispatch(NumericTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    std::vector<std::int64_t> order(static_cast<std::size_t>(view.length));
    for (std::int64_t i = 0; i < view.outer; ++i) {
      for (std::int64_t j = 0; j < view.inner; ++j) {
        const T* x = ctx.Data<T>(0).data() + i * view.length * view.inner + j;
        const auto at = [&](std::int64_t index) { return static_cast<C>(x[index * view.inner]); };
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(
            order.begin(), order.begin() + k, order.end(), [&](std::int64_t a, std::int64_t b) {
              const bool ahead = attrs.largest ? Above(at(a), at(b)) : Above(at(b), at(a));
              const bool behind = attrs.largest ? Above(at(b), at(a)) : Above(at(a), at(b));
              return ahead || (!behind && a < b);
            });
        for (std::int64_t rank = 0; rank < k; ++rank) {
          const std::int64_t index = order[static_cast<std::size_t>(rank)];
          const std::int64_t to = (i * k + rank) * view.inner + j;
          ctx.OutData<T>(0).data()[to] = x[index * view.inner];
          if (where != nullptr) where[to] = index;
        }
      }
    }
    return {};
  });
}

// One comparison per element: the lower bound of any method.
Dim TopKCost(const CostCtx& ctx) {
  return ctx.in[0]->HasRank() ? ElementCount(*ctx.in[0]->shape) : Dim::Unknown();
}

}  // namespace

OpDef TopK() {
  return {
      .name = "TopK",
      .summary = "The k largest (or smallest) elements along an axis; of equal ones the first.",
      .inputs = {{"x", "numeric, rank 1 or more"}, {"k", "i64[1]"}},
      .outputs = {{"values", "k along the axis, otherwise the shape of x"},
                  {"indices", "i64, same shape as values", kOptionalPort}},
      .attributes = Describe<TopKAttrs>(),
      .infer = InferTopK,
      .reference = TopKReference,
      .flops = TopKCost,
  };
}

}  // namespace athanor::ops
