#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct RotaryAttrs {
  bool interleaved = false;
  std::int64_t num_heads = 0;
  std::int64_t rotary_embedding_dim = 0;
  template <class V>
  void Visit(V& v) {
    v("interleaved", interleaved, "pairs are neighbours; otherwise first and second half");
    v("num_heads", num_heads, "needed for an input of rank 3");
    v("rotary_embedding_dim", rotary_embedding_dim,
      "how many values of a head are rotated; 0: all");
  }
};

Status InferRotaryEmbedding(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<RotaryAttrs>();
  for (const std::size_t i : {0, 1, 2}) ATH_RETURN_IF_ERROR(ExpectFloat(ctx, i));
  if (ctx.Has(3) && ctx.InDType(3) != DType::kI64) return InvalidModel("position_ids must be i64");
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(3, 2));
  for (const std::size_t i : {1, 2}) ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, ctx.Has(3) ? 2 : 3));
  const Type& x = ctx.In(0);
  ctx.out[0] = x;
  if (!x.HasRank()) return {};
  if (x.rank() != 3 && x.rank() != 4)
    return InvalidModel("rank 3 or 4 is expected, {} is given", x.ToString());
  if (x.rank() == 3 && attrs.num_heads < 1)
    return InvalidModel("num_heads is needed for an input of rank 3");
  const Dim& last = x.dim(x.rank() - 1);
  if (!last.IsConst()) return {};
  if (x.rank() == 3 && last.value() % attrs.num_heads != 0)
    return InvalidModel("{} values cannot be divided into {} heads", last.value(), attrs.num_heads);
  const std::int64_t size = x.rank() == 3 ? last.value() / attrs.num_heads : last.value();
  const std::int64_t rotated = attrs.rotary_embedding_dim == 0 ? size : attrs.rotary_embedding_dim;
  if (rotated < 0 || rotated > size || rotated % 2 != 0)
    return InvalidModel("{} of {} values cannot be rotated in pairs", rotated, size);
  const std::int64_t axis = ctx.Has(3) ? 1 : 2;
  for (const std::size_t i : {1, 2}) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, axis, rotated / 2));
    if (ctx.Has(3)) continue;
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, x.dim(0)));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1, x.dim(x.rank() == 3 ? 1 : 2)));
  }
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 3, 0, x.dim(0)));
  return ExpectDim(ctx, 3, 1, x.dim(x.rank() == 3 ? 1 : 2));
}

Status RotaryEmbeddingReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<RotaryAttrs>();
  const Dims& dims = ctx.In(0).dims();
  const bool rank3 = dims.size() == 3;
  const std::int64_t batch = dims[0], length = rank3 ? dims[1] : dims[2];
  const std::int64_t heads = rank3 ? attrs.num_heads : dims[1];
  const std::int64_t size = rank3 ? dims[2] / heads : dims[3];
  const std::int64_t rotated = attrs.rotary_embedding_dim == 0 ? size : attrs.rotary_embedding_dim;
  const std::int64_t half = rotated / 2;
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Number = ComputeType<T>;
    ATH_TRY(const std::vector<Number> cosines, ReadAs<Number>(ctx.In(1)));
    ATH_TRY(const std::vector<Number> sines, ReadAs<Number>(ctx.In(2)));
    if (cosines.size() != sines.size()) return DataError("cos and sin caches differ in size");
    const T* x = ctx.Data<T>(0).data();
    T* y = ctx.OutData<T>(0).data();
    for (std::int64_t n = 0; n < batch * heads * length; ++n, x += size, y += size) {
      // n counts [batch, length, heads] or [batch, heads, length].
      const std::int64_t b = n / (heads * length);
      const std::int64_t place = rank3 ? n / heads % length : n % length;
      std::int64_t row = b * length + place;
      if (ctx.Has(3)) {
        row = ctx.Data<std::int64_t>(3)[static_cast<std::size_t>(row)];
        if (row < 0 || row >= ctx.In(1).dim(0))
          return DataError("position {} is outside the cache of {}", row, ctx.In(1).dim(0));
      }
      for (std::int64_t i = 0; i < half; ++i) {
        const auto at = static_cast<std::size_t>(row * half + i);
        const std::int64_t first = attrs.interleaved ? 2 * i : i;
        const std::int64_t second = attrs.interleaved ? 2 * i + 1 : i + half;
        const auto a = static_cast<Number>(x[first]), c = static_cast<Number>(x[second]);
        y[first] = static_cast<T>(cosines[at] * a - sines[at] * c);
        y[second] = static_cast<T>(sines[at] * a + cosines[at] * c);
      }
      std::copy(x + rotated, x + size, y + rotated);
    }
    return {};
  });
}

Dim RotaryEmbeddingCost(const CostCtx& ctx) {
  return ctx.out[0].HasRank() ? ElementCount(*ctx.out[0].shape) * Dim(3) : Dim::Unknown();
}

}  // namespace

OpDef RotaryEmbedding() {
  return {
      .name = "RotaryEmbedding",
      .summary = "Rotates pairs of values of each head by an angle that depends on the position.",
      .inputs = {{"x", "[batch, heads, length, size] or [batch, length, heads * size]"},
                 {"cos_cache",
                  "[positions, rotated / 2], or [batch, length, rotated / 2] without "
                  "position_ids"},
                 {"sin_cache", "like cos_cache"},
                 {"position_ids", "i64[batch, length], rows of the caches", kOptionalPort}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<RotaryAttrs>(),
      .infer = InferRotaryEmbedding,
      .reference = RotaryEmbeddingReference,
      .flops = RotaryEmbeddingCost,
  };
}

}  // namespace athanor::ops
