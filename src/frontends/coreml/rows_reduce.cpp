// Along axes: sums, extremes and their places, order, running sums.
#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

struct PictureReduction {
  std::int64_t mode = 0, axis = 0;
  float epsilon = 0;
  template <class V>
  void Fields(V& v) {
    v(1, mode), v(2, epsilon), v(3, axis);
  }
};

struct Reduction {
  IntList axes;
  bool keep = false, all = false;
  template <class V>
  void Fields(V& v) {
    v(1, axes), v(2, keep), v(3, all);
  }
};

struct TopCount {
  std::int64_t axis = 0, count = 0;
  bool smallest = false;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, count), v(3, smallest);
  }
};

struct AxisAndFlag {
  std::int64_t axis = 0;
  bool flag = false;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, flag);
  }
};

struct RunningSum {
  std::int64_t axis = 0;
  bool exclusive = false, reverse = false;
  template <class V>
  void Fields(V& v) {
    v(1, axis), v(2, exclusive), v(3, reverse);
  }
};

// Of channels, height and width. Results keep their axes.
void ReducePicture(LayerImport& ctx) {
  enum Mode : std::int64_t { kLogSum = 3, kArgMax = 9 };
  static constexpr std::string_view kOps[] = {
      "ReduceSum", "ReduceMean", "ReduceProd", "ReduceSum", "ReduceSumSquare",
      "ReduceL1",  "ReduceL2",   "ReduceMax",  "ReduceMin", "ArgMax"};
  // Axes from the end: CHW, HW, C, H, W.
  static const IntList kAxes[] = {{-3, -2, -1}, {-2, -1}, {-3}, {-2}, {-1}};
  const auto p = ctx.Parameters<PictureReduction>();
  if (!ctx.Expect(p.mode >= 0 && p.mode <= kArgMax, "mode {} of reduce is not read", p.mode) ||
      !ctx.Expect(p.axis >= 0 && p.axis <= 4, "axis {} of reduce is not read", p.axis))
    return;
  ValueId x = ctx.In();
  IntList axes = kAxes[p.axis];
  for (std::int64_t& axis : axes) axis = ctx.FromEnd(x, axis);
  if (p.mode == kArgMax) {
    if (ctx.Expect(axes.size() == 1, "the largest of several axes is not read"))
      ctx.Give(ctx.AsFloat(ctx.Op("ArgMax", {x}, {{"axis", axes[0]}})));
    return;
  }
  if (p.mode == kLogSum) {
    const float epsilon = p.epsilon == 0 ? 1e-6F : p.epsilon;
    x = ctx.Op("Log", {ctx.Op("Add", {x, ctx.Scalar(epsilon)})});
  }
  ctx.Give(ctx.Reduce(kOps[p.mode], x, axes, true));
}

// Values have at least one axis.
void Reduce(LayerImport& ctx) {
  const auto p = ctx.Parameters<Reduction>();
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  IntList axes = p.axes;
  for (std::int64_t& axis : axes) axis = ctx.Axis(axis, rank);
  if (p.all || axes.empty()) axes = LayerImport::AllAxes(rank);
  const ValueId y = ctx.Reduce(ctx.row.op, x, axes, p.keep);
  ctx.Give(!p.keep && std::ssize(axes) == rank ? ctx.Reshape(y, {1}) : y);
}

void PlaceOfExtreme(LayerImport& ctx) {
  const auto p = ctx.Parameters<AxisAndFlag>();
  const std::int64_t rank = ctx.Rank(ctx.In());
  const bool keep = !p.flag || rank == 1;
  const ValueId place = ctx.Op(
      ctx.row.op, {ctx.In()}, {{"axis", ctx.Axis(p.axis, rank)}, {"keepdims", std::int64_t{keep}}});
  ctx.Give(ctx.AsFloat(place));
}

void TopK(LayerImport& ctx) {
  const auto p = ctx.Parameters<TopCount>();
  const ValueId count =
      ctx.Has(1) ? ctx.Reshape(ctx.AsInts(ctx.In(1)), {1}) : ctx.Ints({ctx.Size(p.count, "K")});
  const std::vector<ValueId> both =
      ctx.Ops("TopK", {ctx.In(), count}, 2,
              {{"axis", ctx.AxisOf(ctx.In(), p.axis)}, {"largest", std::int64_t{!p.smallest}}});
  ctx.outputs = {both[0], ctx.AsFloat(both[1])};
}

void ArgSort(LayerImport& ctx) {
  const auto p = ctx.Parameters<AxisAndFlag>();
  const std::int64_t axis = ctx.AxisOf(ctx.In(), p.axis);
  const std::vector<ValueId> both = ctx.Ops("TopK", {ctx.In(), ctx.SizeOf(ctx.In(), axis)}, 2,
                                            {{"axis", axis}, {"largest", std::int64_t{p.flag}}});
  ctx.Give(ctx.AsFloat(both[1]));
}

void CumulativeSum(LayerImport& ctx) {
  const auto p = ctx.Parameters<RunningSum>();
  const ValueId axis = ctx.Constant(Tensor::Scalar<std::int64_t>(ctx.AxisOf(ctx.In(), p.axis)));
  ctx.Give(
      ctx.Op("CumSum", {ctx.In(), axis},
             {{"exclusive", std::int64_t{p.exclusive}}, {"reverse", std::int64_t{p.reverse}}}));
}

}  // namespace

// clang-format off
std::vector<Row> ReduceRows() {
  return {
      {280, "reduce", ReducePicture},
      {1015, "topK", TopK, "", 1, 2, 2},
      {1020, "argMin", PlaceOfExtreme, "ArgMin"},
      {1025, "argMax", PlaceOfExtreme, "ArgMax"},
      {1250, "reduceL1", Reduce, "ReduceL1"},
      {1255, "reduceL2", Reduce, "ReduceL2"},
      {1260, "reduceMax", Reduce, "ReduceMax"},
      {1265, "reduceMin", Reduce, "ReduceMin"},
      {1270, "reduceSum", Reduce, "ReduceSum"},
      {1275, "reduceProd", Reduce, "ReduceProd"},
      {1280, "reduceMean", Reduce, "ReduceMean"},
      {1285, "reduceLogSum", Reduce, "ReduceLogSum"},
      {1290, "reduceSumSquare", Reduce, "ReduceSumSquare"},
      {1295, "reduceLogSumExp", Reduce, "ReduceLogSumExp"},
      {1455, "cumSum", CumulativeSum},
      {1461, "argSort", ArgSort},
  };
}
// clang-format on

}  // namespace athanor::coreml
