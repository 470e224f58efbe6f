// Pooling and means on integers.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/nn/pool_windows.h"
#include "ops/quant/fixed31.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::ops {
namespace {

Status ExpectOneScale(const Fixed31& q, std::string_view name) {
  if (q.in(0) == q.out()) return {};
  return Unsupported("fixed31: {} with different scales of input and output", name);
}

struct ReduceAttrs {
  bool keepdims = true;
  bool noop_with_empty_axes = false;
  template <class V>
  void Visit(V& v) {
    v("keepdims", keepdims, "");
    v("noop_with_empty_axes", noop_with_empty_axes, "");
  }
};

// For each input axis, how far the output moves when it advances: 0 for those that are reduced.
Result<Dims> OutputStrides(const RefCtx& ctx, std::int64_t& reduced) {
  const Dims& in = ctx.In(0).dims();
  std::vector<bool> gone(in.size(), !ctx.Has(1) || ctx.In(1).count() == 0);
  if (ctx.Has(1)) {
    for (const std::int64_t axis : ctx.Data<std::int64_t>(1)) {
      ATH_TRY(const std::int64_t at, NormalizeAxis(axis, ctx.In(0).rank()));
      gone[static_cast<std::size_t>(at)] = true;
    }
  }
  Dims strides(in.size(), 0);
  std::int64_t stride = 1;
  reduced = 1;
  for (std::size_t a = in.size(); a-- > 0;) {
    if (gone[a]) {
      reduced *= in[a];
    } else {
      strides[a] = stride;
      stride *= in[a];
    }
  }
  return strides;
}

}  // namespace

Status AveragePoolFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  ATH_RETURN_IF_ERROR(ExpectOneScale(q, "AveragePool"));
  const auto attrs = ctx.Attrs<AveragePoolAttrs>();
  ATH_TRY(const PoolGeometry pool, ResolvePool(attrs, ctx.In(0).dims()));
  if (attrs.count_include_pad)
    return Unsupported("fixed31: AveragePool that counts its padding is not implemented");
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  const auto zero = static_cast<std::int32_t>(q.in(0).zeros[0]);
  const std::int64_t plane_size = InCount(pool.axes);
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  ForEachWindow(pool, [&](std::int64_t plane, Window& window, std::size_t i) {
    const std::int32_t* data = x.data() + plane * plane_size;
    std::int64_t sum = 0, count = 0;
    // Halves are rounded away from the integer 0, not from the real one.
    ForEachTap(pool.axes, window, [&](std::int64_t offset) {
      sum += data[offset] + zero;
      ++count;
    });
    if (count == 0) return;
    const std::int64_t mean = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
    y[i] = static_cast<std::int32_t>(mean) - zero;
  });
  return q.Store(y);
}

Status MaxPoolFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  ATH_RETURN_IF_ERROR(ExpectOneScale(q, "MaxPool"));
  ATH_TRY(const PoolGeometry pool, ResolvePool(ctx.Attrs<MaxPoolAttrs>(), ctx.In(0).dims()));
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  const std::int64_t plane_size = InCount(pool.axes);
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()), INT32_MIN);
  ForEachWindow(pool, [&](std::int64_t plane, Window& window, std::size_t i) {
    const std::int32_t* data = x.data() + plane * plane_size;
    ForEachTap(pool.axes, window,
               [&](std::int64_t offset) { y[i] = std::max(y[i], data[offset]); });
  });
  return q.Store(y);
}

Status GlobalAveragePoolFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  if (y.empty()) return {};
  const std::size_t size = x.size() / y.size();
  if (size == 0) return DataError("a mean of nothing");
  const fixed::Multiplier m =
      MeanMultiplier(q.in(0).scales[0], q.out().scales[0], static_cast<std::int64_t>(size));
  for (std::size_t i = 0; i < y.size(); ++i) {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < size; ++k) sum += x[i * size + k];
    y[i] = fixed::Multiply(static_cast<std::int32_t>(sum), m);
  }
  return q.Store(y);
}

Status ReduceMeanFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  const auto attrs = ctx.Attrs<ReduceAttrs>();
  if (attrs.noop_with_empty_axes && (!ctx.Has(1) || ctx.In(1).count() == 0))
    return Unsupported("fixed31: a mean over no axes is not implemented");
  std::int64_t count = 1;
  ATH_TRY(const Dims strides, OutputStrides(ctx, count));
  if (count == 0) return DataError("a mean of nothing");
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  std::vector<std::int64_t> sums(static_cast<std::size_t>(ctx.Out(0).count()), 0);
  const Dims& dims = ctx.In(0).dims();
  Dims index(dims.size(), 0);
  std::int64_t at = 0;
  for (const std::int32_t value : x) {
    sums[static_cast<std::size_t>(at)] += value;
    for (std::size_t a = dims.size(); a-- > 0;) {
      at += strides[a];
      if (++index[a] < dims[a]) break;
      at -= strides[a] * dims[a];
      index[a] = 0;
    }
  }
  const fixed::Multiplier m = MeanMultiplier(q.in(0).scales[0], q.out().scales[0], count);
  std::vector<std::int32_t> y;
  for (const std::int64_t sum : sums)
    y.push_back(fixed::Multiply(static_cast<std::int32_t>(sum), m));
  return q.Store(y);
}

}  // namespace athanor::ops
