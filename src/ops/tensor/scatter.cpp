// ScatterElements, ScatterND and TensorScatter: a copy of a tensor with some elements replaced.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct ScatterNdAttrs {
  std::string reduction = "none";
  template <class V>
  void Visit(V& v) {
    v("reduction", reduction,
      "what happens to the element that is there: none (replaced; the last update wins), add, mul, "
      "max or min");
  }
};

struct ScatterElementsAttrs : ScatterNdAttrs {
  std::int64_t axis = 0;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis the indices count along");
    ScatterNdAttrs::Visit(v);
  }
};

Status CheckReduction(const std::string& reduction) {
  for (const char* known : {"none", "add", "mul", "max", "min"}) {
    if (reduction == known) return {};
  }
  return InvalidModel("reduction \"{}\": none, add, mul, max or min is expected", reduction);
}

// to[offsets[i] + k] = f(to[offsets[i] + k], updates[i * block + k])
template <class T, class F>
void Reduce(const Tensor& updates, std::span<const std::int64_t> offsets, std::int64_t block,
            Tensor& to, F f) {
  const T* update = updates.Data<T>().data();
  T* out = to.MutableData<T>().data();
  using C = ComputeType<T>;
  for (const std::int64_t offset : offsets) {
    for (std::int64_t k = 0; k < block; ++k, ++update) {
      T& element = out[offset + k];
      element = static_cast<T>(f(static_cast<C>(element), static_cast<C>(*update)));
    }
  }
}

// Integer sums and products wrap.
template <class C, class F>
C Wrap(C a, C b, F f) {
  if constexpr (std::is_integral_v<C>) {
    return static_cast<C>(f(static_cast<std::uint64_t>(a), static_cast<std::uint64_t>(b)));
  } else {
    return f(a, b);
  }
}

Status Apply(const std::string& reduction, const Tensor& updates,
             std::span<const std::int64_t> offsets, std::int64_t block, Tensor& to) {
  if (reduction == "none") {
    ScatterBlocks(updates, offsets, block, to);
    return {};
  }
  return Dispatch(NumericTypes{}, to.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    const auto reduce = [&](auto f) { Reduce<T>(updates, offsets, block, to, f); };
    if (reduction == "add") {
      reduce([](C a, C b) { return Wrap(a, b, [](auto x, auto y) { return x + y; }); });
    } else if (reduction == "mul") {
      reduce([](C a, C b) { return Wrap(a, b, [](auto x, auto y) { return x * y; }); });
    } else if (reduction == "max") {
      reduce([](C a, C b) { return std::max(a, b); });
    } else {
      reduce([](C a, C b) { return std::min(a, b); });
    }
    return {};
  });
}

Status InferScatter(InferCtx& ctx, const std::string& reduction) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  ctx.out[0] = ctx.In(0);
  return CheckReduction(reduction);
}

Status InferScatterElements(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ScatterElementsAttrs>();
  ATH_RETURN_IF_ERROR(InferScatter(ctx, attrs.reduction));
  const Type &data = ctx.In(0), &indices = ctx.In(1), &updates = ctx.In(2);
  if (!data.HasRank()) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, data.rank()));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, data.rank()));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, data.rank()));
  if (!indices.HasRank() || !updates.HasRank()) return {};
  for (std::int64_t i = 0; i < data.rank(); ++i) {
    const Dim &d = data.dim(i), &n = indices.dim(i), &u = updates.dim(i);
    const bool differ = n.IsConst() && u.IsConst() && !(n == u);
    const bool beyond = i != axis && d.IsConst() && n.IsConst() && n.value() > d.value();
    if (differ || beyond) {
      return InvalidModel("indices {} and updates {} do not fit data {} on axis {}",
                          indices.ToString(), updates.ToString(), data.ToString(), i);
    }
  }
  return {};
}

Status ScatterElementsReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ScatterElementsAttrs>();
  const Tensor &data = ctx.In(0), &indices = ctx.In(1);
  Tensor& out = ctx.Out(0);
  CopyElements(data, 0, out, 0, data.count());
  ATH_TRY(const std::vector<std::int64_t> offsets, ElementOffsets(data, indices, attrs.axis));
  return Apply(attrs.reduction, ctx.In(2), offsets, 1, out);
}

Status InferScatterNd(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferScatter(ctx, ctx.Attrs<ScatterNdAttrs>().reduction));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, 1));
  const Type &data = ctx.In(0), &indices = ctx.In(1), &updates = ctx.In(2);
  if (!data.HasRank() || !indices.HasRank() || !indices.shape->back().IsConst()) return {};
  const std::int64_t width = indices.shape->back().value();
  if (width > data.rank())
    return InvalidModel("indices of {} coordinates do not fit data {}", width, data.ToString());
  athanor::Shape expected(indices.shape->begin(), indices.shape->end() - 1);
  expected.insert(expected.end(), data.shape->begin() + width, data.shape->end());
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, static_cast<std::int64_t>(expected.size())));
  for (std::size_t i = 0; updates.HasRank() && i < expected.size(); ++i) {
    const Dim& given = (*updates.shape)[i];
    if (given.IsConst() && expected[i].IsConst() && !(given == expected[i])) {
      return InvalidModel("updates {} are given; {} is expected", updates.ToString(),
                          ToString(expected));
    }
  }
  return {};
}

Status ScatterNdReference(RefCtx& ctx) {
  const Tensor &data = ctx.In(0), &indices = ctx.In(1);
  Tensor& out = ctx.Out(0);
  CopyElements(data, 0, out, 0, data.count());
  ATH_TRY(const std::vector<std::int64_t> coordinates, ToInts(indices));
  const auto width = static_cast<std::size_t>(indices.dims().back());
  const Dims strides = Strides(data.dims());
  const std::int64_t block = CountOf(data.dims(), width, data.dims().size());
  if (ctx.In(2).count() == 0) return {};
  const std::int64_t tuples = CountOf(indices.dims(), 0, indices.dims().size() - 1);
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(tuples), 0);
  std::size_t next = 0;
  for (std::int64_t& offset : offsets) {
    for (std::size_t i = 0; i < width; ++i) {
      ATH_TRY(const std::int64_t index, NormalizeIndex(coordinates[next++], data.dims()[i]));
      offset += index * strides[i];
    }
  }
  return Apply(ctx.Attrs<ScatterNdAttrs>().reduction, ctx.In(2), offsets, block, out);
}

struct TensorScatterAttrs {
  std::int64_t axis = -2;
  std::string mode = "linear";
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "the sequence axis; not 0, which is the batch");
    v("mode", mode, "linear: the update must fit; circular: it wraps around the end");
  }
};

Status InferTensorScatter(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  const auto attrs = ctx.Attrs<TensorScatterAttrs>();
  if (attrs.mode != "linear" && attrs.mode != "circular")
    return InvalidModel("mode \"{}\": linear or circular is expected", attrs.mode);
  const Type &cache = ctx.In(0), &update = ctx.In(1);
  ctx.out[0] = cache;
  if (!cache.HasRank()) return {};
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, cache.rank()));
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, cache.rank()));
  if (axis == 0) return InvalidModel("axis 0 is the batch; another one is expected");
  for (std::int64_t i = 0; update.HasRank() && i < cache.rank(); ++i) {
    const Dim &c = cache.dim(i), &u = update.dim(i);
    if (!c.IsConst() || !u.IsConst()) continue;
    if (i == axis ? u.value() > c.value() : u.value() != c.value()) {
      return InvalidModel("the update {} does not fit the cache {} on axis {}", update.ToString(),
                          cache.ToString(), i);
    }
  }
  if (ctx.Has(2) && ctx.In(2).HasRank()) {
    const Dim& starts = ctx.In(2).dim(0);
    if (starts.IsConst() && cache.dim(0).IsConst() && !(starts == cache.dim(0)))
      return InvalidModel("{} write indices for a batch of {}", starts.value(),
                          cache.dim(0).value());
  }
  return {};
}

Status TensorScatterReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<TensorScatterAttrs>();
  const Tensor &cache = ctx.In(0), &update = ctx.In(1);
  Tensor& out = ctx.Out(0);
  CopyElements(cache, 0, out, 0, cache.count());
  if (update.count() == 0) return {};
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, cache.rank()));
  const auto at = static_cast<std::size_t>(axis);
  std::vector<std::int64_t> starts(static_cast<std::size_t>(cache.dim(0)), 0);
  if (ctx.Has(2)) {
    ATH_TRY(starts, ToInts(ctx.In(2)));
  }
  const std::int64_t rows = CountOf(cache.dims(), 0, at), per_batch = CountOf(cache.dims(), 1, at);
  const std::int64_t block = CountOf(cache.dims(), at + 1, cache.dims().size());
  const std::int64_t size = cache.dim(axis), length = update.dim(axis);
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t start = starts[static_cast<std::size_t>(row / per_batch)];
    if (start < 0 || (attrs.mode == "linear" && start > size - length)) {
      return DataError("{} positions from {} on do not fit a cache of {}", length, start, size);
    }
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t position = (start % size + i) % size;
      const std::int64_t to = attrs.mode == "linear" ? start + i : position;
      CopyElements(update, (row * length + i) * block, out, (row * size + to) * block, block);
    }
  }
  return {};
}

}  // namespace

OpDef ScatterElements() {
  return {
      .name = "ScatterElements",
      .summary = "A copy of data with out[indices[i][j]][j] = updates[i][j] (for axis 0).",
      .inputs = {{"data", "any type, rank 1 or more"},
                 {"indices", "i32 or i64, rank of data; negative counts from the end"},
                 {"updates", "shape of indices, element type of data"}},
      .outputs = {{"output", "shape of data"}},
      .attributes = Describe<ScatterElementsAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferScatterElements,
      .reference = ScatterElementsReference,
  };
}

OpDef ScatterND() {
  return {
      .name = "ScatterND",
      .summary = "A copy of data with elements or slices at the given coordinates replaced.",
      .inputs = {{"data", "any type, rank 1 or more"},
                 {"indices", "i64: the last axis holds coordinates; negative counts from the end"},
                 {"updates", "one element or slice per coordinate tuple"}},
      .outputs = {{"output", "shape of data"}},
      .attributes = Describe<ScatterNdAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferScatterNd,
      .reference = ScatterNdReference,
  };
}

OpDef TensorScatter() {
  return {
      .name = "TensorScatter",
      .summary = "Writes new positions into a cache, each sample of the batch at its own place.",
      .inputs = {{"past_cache", "[batch, ..., max_sequence_length, ...]"},
                 {"update", "the same but for a shorter sequence axis"},
                 {"write_indices", "i64[batch]: where each sample is written; 0 when omitted",
                  kOptionalPort}},
      .outputs = {{"present_cache", "shape of past_cache"}},
      .attributes = Describe<TensorScatterAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferTensorScatter,
      .reference = TensorScatterReference,
  };
}

}  // namespace athanor::ops
