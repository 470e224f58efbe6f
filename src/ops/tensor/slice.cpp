#include <algorithm>
#include <limits>
#include <numeric>

#include "ir/gradient.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

// What one axis keeps: start, start + step, ... (count of them).
struct Cut {
  std::int64_t start = 0, count = 0, step = 1;
};

Cut Clamp(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  step = std::max(step, -kMax);
  if (start < 0) start += size;
  if (end < 0) end += size;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, size);
    end = std::clamp<std::int64_t>(end, 0, size);
    return {start, start < end ? 1 + (end - start - 1) / step : 0, step};
  }
  start = std::clamp<std::int64_t>(start, -1, size - 1);
  end = std::clamp<std::int64_t>(end, -1, size - 1);
  return {start, start > end ? 1 + (start - end - 1) / -step : 0, step};
}

// The size after cutting an axis of symbolic size. Symbols are taken to be large enough for
// constant bounds that count from the end (x[:-1], x[1:]); anything less certain stays unknown.
Dim CutDim(const Dim& size, const Dim& start, const Dim& end, const Dim& step) {
  if (!start.IsConst() || !end.IsConst() || !step.IsConst()) return Dim::Unknown();
  if (size.IsConst()) return Clamp(size.value(), start.value(), end.value(), step.value()).count;
  const std::int64_t first = start.value(), last = end.value(), stride = step.value();
  const bool to_end = last >= std::numeric_limits<std::int32_t>::max();
  if (stride < 0) {
    const bool whole = first == -1 && last <= std::numeric_limits<std::int32_t>::min();
    return whole && stride == -1 ? size : Dim::Unknown();
  }
  if (first < -kMax / 2 || last < -kMax / 2) return Dim::Unknown();
  Dim length;
  if (to_end) {
    length = first >= 0 ? size - Dim(first) : Dim(-first);
  } else if (last < 0) {
    length =
        first >= 0 ? size - Dim(first) + Dim(last) : Dim(std::max<std::int64_t>(last - first, 0));
  } else {
    return Dim::Unknown();
  }
  return CeilDiv(length, step);
}

// The four index lists, with axes and steps filled in.
struct Bounds {
  std::vector<std::int64_t> axes;
  athanor::Shape starts, ends, steps;
};

Result<std::optional<Bounds>> ReadBounds(const InferCtx& ctx, std::int64_t rank) {
  std::optional<athanor::Shape> starts = ctx.Ints(1), ends = ctx.Ints(2);
  std::size_t count = 0;
  for (const std::size_t i : {1, 2}) {
    const Type& type = ctx.In(i);
    if (type.HasRank() && type.rank() == 1 && type.dim(0).IsConst())
      count = static_cast<std::size_t>(std::clamp<std::int64_t>(type.dim(0).value(), 0, rank + 1));
  }
  if (!starts && count > 0) starts = athanor::Shape(count);
  if (!ends && count > 0) ends = athanor::Shape(count);
  std::optional<std::vector<std::int64_t>> axes =
      ctx.Has(3) ? ctx.ConstInts(3)
                 : Counting(starts ? static_cast<std::int64_t>(starts->size()) : 0);
  std::optional<athanor::Shape> steps =
      ctx.Has(4) ? ctx.Ints(4)
                 : std::optional<athanor::Shape>(athanor::Shape(starts ? starts->size() : 0, 1));
  if (!starts || !ends || !axes) return std::optional<Bounds>();
  if (!steps) steps = athanor::Shape(starts->size());
  if (starts->size() != ends->size() || starts->size() != axes->size() ||
      starts->size() != steps->size()) {
    return InvalidModel(
        "{} starts, {} ends, {} axes and {} steps are given; as many of each expected",
        starts->size(), ends->size(), axes->size(), steps->size());
  }
  ATH_TRY(*axes, NormalizeAxes(*axes, rank));
  return std::optional<Bounds>(
      Bounds{*std::move(axes), *std::move(starts), *std::move(ends), *std::move(steps)});
}

// A slice of a followed integer list is followed too.
void FollowSlice(InferCtx& ctx, const Bounds& bounds) {
  const std::optional<athanor::Shape> ints = ctx.Ints(0);
  if (!ints || ctx.In(0).rank() != 1 || bounds.axes.size() != 1) return;
  const Dim &start = bounds.starts[0], &end = bounds.ends[0], &step = bounds.steps[0];
  if (!start.IsConst() || !end.IsConst() || !step.IsConst()) return;
  const Cut cut =
      Clamp(static_cast<std::int64_t>(ints->size()), start.value(), end.value(), step.value());
  athanor::Shape kept;
  for (std::int64_t i = 0; i < cut.count; ++i)
    kept.push_back((*ints)[static_cast<std::size_t>(cut.start + i * cut.step)]);
  ctx.out_ints[0] = std::move(kept);
}

Status InferSlice(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  for (const std::size_t i : {1, 2, 3, 4}) {
    ATH_RETURN_IF_ERROR(ExpectIndices(ctx, i));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 1));
  }
  const Type& data = ctx.In(0);
  ctx.out[0] = data;
  if (!data.HasRank()) return {};
  ATH_TRY(const std::optional<Bounds> bounds, ReadBounds(ctx, data.rank()));
  if (!bounds) {
    ctx.out[0].shape = athanor::Shape(data.shape->size());
    return {};
  }
  for (std::size_t i = 0; i < bounds->axes.size(); ++i) {
    if (bounds->steps[i].Is(0)) return InvalidModel("a step is 0");
    Dim& dim = (*ctx.out[0].shape)[static_cast<std::size_t>(bounds->axes[i])];
    dim = CutDim(dim, bounds->starts[i], bounds->ends[i], bounds->steps[i]);
  }
  FollowSlice(ctx, *bounds);
  return {};
}

Status SliceReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& data = ctx.In(0);
  ATH_TRY(const std::vector<std::int64_t> starts, ToInts(ctx.In(1)));
  ATH_TRY(const std::vector<std::int64_t> ends, ToInts(ctx.In(2)));
  std::vector<std::int64_t> axes = Counting(static_cast<std::int64_t>(starts.size()));
  std::vector<std::int64_t> steps(starts.size(), 1);
  if (ctx.Has(3)) {
    ATH_TRY(axes, ToInts(ctx.In(3)));
  }
  if (ctx.Has(4)) {
    ATH_TRY(steps, ToInts(ctx.In(4)));
  }
  ATH_TRY(axes, NormalizeAxes(axes, data.rank()));
  std::vector<Dims> maps;
  for (const std::int64_t size : data.dims()) maps.push_back(Counting(size));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Cut cut = Clamp(data.dim(axes[i]), starts[i], ends[i], steps[i]);
    Dims& map = maps[static_cast<std::size_t>(axes[i])];
    map.resize(static_cast<std::size_t>(cut.count));
    for (std::size_t o = 0; o < map.size(); ++o)
      map[o] = cut.start + static_cast<std::int64_t>(o) * cut.step;
  }
  CopyMapped(data, maps, ctx.Out(0));
  return {};
}

// Each element of dy goes back to where it was cut from: places are cut as the data were.
Status SliceGradient(GradientCtx& ctx) {
  std::vector<std::int64_t> places(
      static_cast<std::size_t>(CountOf(ctx.InDims(0), 0, ctx.InDims(0).size())));
  std::iota(places.begin(), places.end(), 0);
  std::vector<ValueId> inputs = {ctx.Reshape(ctx.Integers(places), ctx.InDims(0))};
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.In(i));
  const ValueId cut = ctx.Op("Slice", inputs);
  const ValueId zeros = ctx.Op("Expand", {ctx.Number(0), ctx.Integers({std::ssize(places)})});
  const ValueId back =
      ctx.Op("ScatterElements", {zeros, ctx.Reshape(cut, {-1}), ctx.Reshape(ctx.DOut(), {-1})});
  ctx.Set(0, ctx.Reshape(back, ctx.InDims(0)));
  return {};
}

}  // namespace

OpDef Slice() {
  return {
      .name = "Slice",
      .summary =
          "data[start:end:step] along each of the axes. Bounds count from the end when negative "
          "and "
          "are clamped to the axis; a negative step walks backwards.",
      .inputs = {{"data", "any type"},
                 {"starts", "i32 or i64 list: first index per axis"},
                 {"ends", "i32 or i64 list: the index after the last, per axis"},
                 {"axes", "i32 or i64 list: the axes cut; the first ones when omitted",
                  kOptionalPort},
                 {"steps", "i32 or i64 list: 1 when omitted, never 0", kOptionalPort}},
      .outputs = {{"output", "the elements that are kept"}},
      .traits = kPure | kDataMovement,
      .infer = InferSlice,
      .reference = SliceReference,
      .gradient = SliceGradient,
  };
}

}  // namespace athanor::ops
