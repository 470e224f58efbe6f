// Looking up and writing at positions, which are floats in the file; ranges, bands of matrices.
#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

struct Scattering {  // of an axis: 1 is the axis, 2 the mode; of several: 1 is the mode
  std::int64_t first = 0, second = 0;
  template <class V>
  void Fields(V& v) {
    v(1, first), v(2, second);
  }
};

struct SequenceAxes {
  std::int64_t batch = 0, time = 0;
  template <class V>
  void Fields(V& v) {
    v(1, batch), v(2, time);
  }
};

struct RangeNumbers {
  float end = 0, begin = 0, step = 0;
  template <class V>
  void Fields(V& v) {
    v(1, end), v(2, begin), v(3, step);
  }
};

struct Band {
  std::int64_t lower = 0, upper = 0;
  template <class V>
  void Fields(V& v) {
    v(1, lower), v(2, upper);
  }
};

struct OneHotNumbers {
  std::int64_t size = 0, axis = 0;
  float on = 0, off = 0;
  template <class V>
  void Fields(V& v) {
    v(1, size), v(2, axis), v(3, on), v(4, off);
  }
};

void GatherAlong(LayerImport& ctx) {
  const std::int64_t axis = ctx.AxisOf(ctx.In(), ctx.Parameters<OneInt>().value);
  ctx.Give(ctx.Op(ctx.row.op, {ctx.In(0), ctx.AsInts(ctx.In(1))}, {{"axis", axis}}));
}

void GatherNd(LayerImport& ctx) {
  ctx.Give(ctx.Op("GatherND", {ctx.In(0), ctx.AsInts(ctx.In(1))}));
}

// What the graph calls a mode; differences and quotients are sums and products of other values.
struct Mode {
  std::string_view reduction;
  ValueId updates = kNoValue;
};
Mode ModeOf(LayerImport& ctx, std::int64_t mode) {
  enum Kind : std::int64_t { kUpdate, kAdd, kSub, kMul, kDiv, kMax, kMin };
  static constexpr std::string_view kReductions[] = {"none", "add", "add", "mul",
                                                     "mul",  "max", "min"};
  const ValueId updates = ctx.In(2);
  if (!ctx.Expect(mode >= kUpdate && mode <= kMin, "mode {} of scatter is not read", mode))
    return {kReductions[0], updates};
  if (mode == kSub) return {kReductions[mode], ctx.Op("Neg", {updates})};
  if (mode == kDiv) return {kReductions[mode], ctx.Op("Reciprocal", {updates})};
  return {kReductions[mode], updates};
}

void ScatterAlong(LayerImport& ctx) {
  const auto p = ctx.Parameters<Scattering>();
  const std::int64_t axis = ctx.AxisOf(ctx.In(), p.first);
  const Mode mode = ModeOf(ctx, p.second);
  ctx.Give(ctx.Op("ScatterElements", {ctx.In(0), ctx.AsInts(ctx.In(1)), mode.updates},
                  {{"axis", axis}, {"reduction", std::string(mode.reduction)}}));
}

void ScatterNd(LayerImport& ctx) {
  const Mode mode = ModeOf(ctx, ctx.Parameters<Scattering>().first);
  ctx.Give(ctx.Op("ScatterND", {ctx.In(0), ctx.AsInts(ctx.In(1)), mode.updates},
                  {{"reduction", std::string(mode.reduction)}}));
}

// Whole rows at the places of a list, along the first axis.
void ScatterRows(LayerImport& ctx) {
  const auto p = ctx.Parameters<Scattering>();
  const Mode mode = ModeOf(ctx, p.second);
  ctx.Expect(ctx.AxisOf(ctx.In(), p.first) == 0, "scatter along axis {} is not read; 0 is",
             p.first);
  ctx.Expect(ctx.Rank(ctx.In(1)) == 1, "positions of {} axes; 1 is wanted", ctx.Rank(ctx.In(1)));
  ctx.Give(ctx.Op("ScatterND", {ctx.In(0), ctx.Unsqueeze(ctx.AsInts(ctx.In(1)), {1}), mode.updates},
                  {{"reduction", std::string(mode.reduction)}}));
}

void ReverseSequence(LayerImport& ctx) {
  const auto p = ctx.Parameters<SequenceAxes>();
  ctx.Give(ctx.Op("ReverseSequence", {ctx.In(0), ctx.AsInts(ctx.In(1))},
                  {{"batch_axis", ctx.AxisOf(ctx.In(), p.batch)},
                   {"time_axis", ctx.AxisOf(ctx.In(), p.time)}}));
}

// [elements, axes], as NumPy's argwhere.
void WhereNonZero(LayerImport& ctx) {
  ctx.Give(ctx.AsFloat(ctx.Transpose(ctx.Op("NonZero", {ctx.In()}), {1, 0})));
}

// Inputs, as far as there are some: end, begin, step.
void Range(LayerImport& ctx) {
  const auto p = ctx.Parameters<RangeNumbers>();
  const auto number = [&](std::size_t i, float otherwise) {
    return ctx.Has(i) ? ctx.Reshape(ctx.In(i), {}) : ctx.Scalar(otherwise);
  };
  ctx.Give(ctx.Op("Range", {number(1, p.begin), number(0, p.end), number(2, p.step)}));
}

void Triangle(LayerImport& ctx) {
  const ValueId k = ctx.Constant(Tensor::Scalar<std::int64_t>(ctx.Parameters<OneInt>().value));
  ctx.Give(ctx.Op("Trilu", {ctx.In(), k}, {{"upper", std::int64_t{ctx.row.op == "upper"}}}));
}

// Elements at most `lower` below and `upper` above the diagonal; negative: all of that side.
void BandPart(LayerImport& ctx) {
  const auto p = ctx.Parameters<Band>();
  ValueId y = ctx.In();
  const auto cut = [&](std::int64_t k, bool upper) {
    y = ctx.Op("Trilu", {y, ctx.Constant(Tensor::Scalar<std::int64_t>(k))},
               {{"upper", std::int64_t{upper}}});
  };
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  if (!ctx.Expect(p.lower <= kMost && p.upper <= kMost, "a band of {} and {}", p.lower, p.upper))
    return;
  if (p.lower >= 0) cut(-p.lower, true);
  if (p.upper >= 0) cut(p.upper, false);
  ctx.Give(y == ctx.In() ? ctx.Op("Identity", {y}) : y);
}

void OneHot(LayerImport& ctx) {
  const auto p = ctx.Parameters<OneHotNumbers>();
  const ValueId depth = ctx.Has(1) ? ctx.Reshape(ctx.AsInts(ctx.In(1)), {1})
                                   : ctx.Ints({ctx.Size(p.size, "oneHotVectorSize")});
  ctx.Give(ctx.Op("OneHot", {ctx.AsInts(ctx.In(0)), depth, ctx.Floats({2}, {p.off, p.on})},
                  {{"axis", ctx.Axis(p.axis, ctx.Rank(ctx.In()) + 1)}}));
}

}  // namespace

// clang-format off
std::vector<Row> IndexRows() {
  return {
      {635, "rangeStatic", Range, "", 0, 0},
      {640, "rangeDynamic", Range, "", 1, 3},
      {930, "gather", GatherAlong, "Gather", 2, 2},
      {935, "scatter", ScatterRows, "", 3, 3},
      {940, "gatherND", GatherNd, "", 2, 2},
      {945, "scatterND", ScatterNd, "", 3, 3},
      {952, "gatherAlongAxis", GatherAlong, "GatherElements", 2, 2},
      {954, "scatterAlongAxis", ScatterAlong, "", 3, 3},
      {965, "reverseSeq", ReverseSequence, "", 2, 2},
      {1313, "whereNonZero", WhereNonZero},
      {1315, "matrixBandPart", BandPart},
      {1320, "lowerTriangular", Triangle, "lower"},
      {1325, "upperTriangular", Triangle, "upper"},
      {1450, "oneHot", OneHot, "", 1, 2},
  };
}
// clang-format on

}  // namespace athanor::coreml
