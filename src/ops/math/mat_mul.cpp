#include "ops/broadcast.h"

namespace athanor::ops {
namespace {

using Types = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::uint64_t,
                       std::uint32_t>;

Status InferMatMul(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, 1));
  if (!ctx.In(0).HasRank() || !ctx.In(1).HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(ctx.InDType(0));
    return {};
  }
  // Vectors become matrices with a dimension of 1, which is dropped from the result.
  Shape a = *ctx.In(0).shape, b = *ctx.In(1).shape;
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.emplace_back(1);
  const Dim& inner_a = a[a.size() - 1];
  const Dim& inner_b = b[b.size() - 2];
  if (inner_a.IsConst() && inner_b.IsConst() && !(inner_a == inner_b)) {
    return InvalidModel("inner dimensions differ: {} times {}", ToString(*ctx.In(0).shape),
                        ToString(*ctx.In(1).shape));
  }
  ATH_TRY(Shape out, BroadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (!row) out.push_back(a[a.size() - 2]);
  if (!column) out.push_back(b[b.size() - 1]);
  ctx.out[0] = Type::Tensor(ctx.InDType(0), std::move(out));
  return {};
}

Status MatMulReference(RefCtx& ctx) {
  Dims a = ctx.In(0).dims(), b = ctx.In(1).dims(), batch = ctx.Out(0).dims();
  if (b.size() > 1) batch.pop_back();
  if (a.size() > 1) batch.pop_back();
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const std::int64_t m = a[a.size() - 2], k = a[a.size() - 1], n = b[b.size() - 1];
  const Dims batch_a(a.begin(), a.end() - 2), batch_b(b.begin(), b.end() - 2);
  return Dispatch(Types{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Sum =
        std::conditional_t<std::is_integral_v<T>,
                           std::make_unsigned_t<std::conditional_t<std::is_integral_v<T>, T, int>>,
                           std::conditional_t<std::is_same_v<T, double>, double, float>>;
    const T* x = ctx.Data<T>(0).data();
    const T* w = ctx.Data<T>(1).data();
    T* y = ctx.OutData<T>(0).data();
    std::vector<Sum> row(static_cast<std::size_t>(n));
    const Dims* const inputs[] = {&batch_a, &batch_b};
    for (BroadcastWalk walk(batch, inputs); !walk.done(); walk.Next()) {
      const T* xm = x + walk.offset(0) * m * k;
      const T* wm = w + walk.offset(1) * k * n;
      for (std::int64_t i = 0; i < m; ++i, y += n) {
        std::fill(row.begin(), row.end(), Sum(0));
        for (std::int64_t p = 0; p < k; ++p) {
          const auto factor = static_cast<Sum>(xm[i * k + p]);
          for (std::int64_t j = 0; j < n; ++j)
            row[static_cast<std::size_t>(j)] += factor * static_cast<Sum>(wm[p * n + j]);
        }
        for (std::int64_t j = 0; j < n; ++j)
          y[j] = static_cast<T>(row[static_cast<std::size_t>(j)]);
      }
    }
    return {};
  });
}

Dim MatMulCost(const CostCtx& ctx) {
  const Type& a = *ctx.in[0];
  if (!a.HasRank() || !ctx.out[0].HasRank()) return Dim::Unknown();
  return ElementCount(*ctx.out[0].shape) * a.shape->back() * Dim(2);
}

}  // namespace

OpDef MatMul() {
  return {
      .name = "MatMul",
      .summary = "Matrix product of the last two dimensions; the others broadcast.",
      .inputs = {{"a", "[..., m, k] or [k]"}, {"b", "[..., k, n] or [k]"}},
      .outputs = {{"y", "[..., m, n]"}},
      .infer = InferMatMul,
      .reference = MatMulReference,
      .flops = MatMulCost,
  };
}

}  // namespace athanor::ops
