// Sums, extremes and norms along axes; order along one.
#include <algorithm>
#include <cmath>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// The axes that `name` says go; none are named where all do.
IntList ReducedAxes(OpImport& ctx, ValueId x, std::string_view name) {
  const std::int64_t rank = ctx.Rank(x);
  IntList axes;
  if (!ctx.Flag("reduce_all")) axes = ctx.KnownInts(name);
  for (std::int64_t& axis : axes) axis = ctx.Axis(axis, rank);
  if (axes.empty()) axes = ctx.AllAxes(rank);
  return axes;
}

ValueId Reduced(OpImport& ctx, std::string_view op, ValueId x) {
  const IntList axes = ReducedAxes(ctx, x, "dim");
  return axes.empty() ? x : ctx.Reduce(op, x, axes, ctx.Flag("keep_dim"));
}

void ReduceAxes(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(Reduced(ctx, ctx.row.op, x));
}

void LogSumExp(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(ctx.Reduce("ReduceLogSumExp", x, ReducedAxes(ctx, x, "axis"), ctx.Flag("keepdim")));
}

// Sums of truth and of 32-bit integers are 64-bit integers unless something else is said.
void ReduceSum(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const DType own = ctx.DTypeOf(x);
  const bool widens = own == DType::kBool || own == DType::kI32;
  const DType dtype = ctx.TypeOr("out_dtype", widens ? DType::kI64 : own);
  ctx.Give(Reduced(ctx, ctx.row.op, ctx.Cast(x, dtype)));
}

void MeanOfAll(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  ctx.Give(Reduced(ctx, "ReduceMean", x));
}

ValueId PowerOf(OpImport& ctx, ValueId x, double exponent) {
  return ctx.Op("Pow", {x, ctx.Number(exponent, ctx.DTypeOf(x))});
}

// (sum |x|^p)^(1/p) along an axis, or of the whole tensor
void PNorm(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const double order = ctx.Real("porder", 2);
  const bool whole = ctx.Flag("asvector"), keep = ctx.Flag("keepdim");
  if (whole) x = ctx.Reshape(x, {-1});
  const IntList axes = {whole ? 0 : ctx.Axis(ctx.Int("axis", -1), ctx.Rank(x))};
  if (order == 1 || order == 2)
    return ctx.Give(ctx.Reduce(order == 1 ? "ReduceL1" : "ReduceL2", x, axes, keep));
  const ValueId size = ctx.Op("Abs", {x});
  if (std::isinf(order))
    return ctx.Give(ctx.Reduce(order > 0 ? "ReduceMax" : "ReduceMin", size, axes, keep));
  if (order == 0) return ctx.Give(ctx.Reduce("ReduceSum", ctx.Op("Sign", {size}), axes, keep));
  const ValueId sum = ctx.Reduce("ReduceSum", PowerOf(ctx, size, order), axes, keep);
  ctx.Give(PowerOf(ctx, sum, 1 / order));
}

// x / sqrt(sum x^2 + epsilon), the older way to a length of 1
void LengthOne(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const IntList axes = {ctx.Axis(ctx.Int("axis", -1), ctx.Rank(x))};
  const ValueId sum = ctx.Reduce("ReduceSumSquare", x, axes, true);
  const ValueId epsilon = ctx.Number(ctx.Real("epsilon", 1e-10), ctx.DTypeOf(x));
  const ValueId norm = ctx.Op("Sqrt", {ctx.Op("Add", {sum, epsilon})});
  ctx.Give(norm, "Norm");
  ctx.Give(ctx.Op("Div", {x, norm}));
}

void CumSum(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const bool flat = ctx.Flag("flatten");
  if (flat) x = ctx.Reshape(x, {-1});
  const std::int64_t axis = flat ? 0 : ctx.Axis(ctx.KnownInt("axis", -1), ctx.Rank(x));
  ctx.Give(ctx.Op("CumSum", {x, ctx.Constant(Tensor::Scalar(axis))},
                  {{"exclusive", std::int64_t{ctx.Flag("exclusive")}},
                   {"reverse", std::int64_t{ctx.Flag("reverse")}}}));
}

void ArgExtreme(OpImport& ctx) {
  ValueId x = ctx.In("X");
  const bool flat = ctx.Flag("flatten"), keep = ctx.Flag("keepdims");
  const std::int64_t rank = ctx.Rank(x);
  const std::int64_t axis = flat ? 0 : ctx.Axis(ctx.KnownInt("axis", -1), rank);
  if (flat) x = ctx.Reshape(x, {-1});
  ValueId y = ctx.Op(ctx.row.op, {x}, {{"axis", axis}, {"keepdims", std::int64_t{keep && !flat}}});
  if (flat && keep) y = ctx.Reshape(y, IntList(static_cast<std::size_t>(rank), 1));
  ctx.Give(ctx.Cast(y, ctx.TypeOr("dtype", DType::kI64)));
}

void TopK(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", -1), ctx.Rank(x));
  const std::vector<ValueId> best =
      ctx.Ops("TopK", {x, ctx.IntsValue("k")}, 2,
              {{"axis", axis}, {"largest", std::int64_t{ctx.Flag("largest", true)}}});
  ctx.Give(best[0]);
  ctx.Give(best[1], "Indices");
}

void ArgSort(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const std::int64_t axis = ctx.Axis(ctx.Int("axis", -1), ctx.Rank(x));
  const std::vector<ValueId> sorted =
      ctx.Ops("TopK", {x, ctx.SizeOf(x, axis)}, 2,
              {{"axis", axis}, {"largest", std::int64_t{ctx.Flag("descending")}}});
  ctx.Give(sorted[0]);
  ctx.Give(sorted[1], "Indices");
}

}  // namespace

// clang-format off
std::vector<Row> ReduceRows() {
  return {
      {"arg_max", "argmax", "X axis", "Out", ArgExtreme, "ArgMax"},
      {"arg_min", "argmin", "X axis", "Out", ArgExtreme, "ArgMin"},
      {"argsort", "argsort", "X", "Out Indices", ArgSort},
      {"cumsum", "cumsum", "X axis=AxisTensor", "Out", CumSum},
      {"frobenius_norm", "frobenius_norm", "X dim", "Out", ReduceAxes, "ReduceL2", "dim=axis keep_dim=keepdim"},
      {"logsumexp", "logsumexp", "X axis", "Out", LogSumExp},
      {"mean", "mean_all", "X", "Out", MeanOfAll},
      {"norm", "norm", "X", "Out Norm", LengthOne},
      {"p_norm", "p_norm", "X", "Out", PNorm},
      {"reduce_all", "all", "X dim", "Out", ReduceAxes, "ReduceMin", "dim=axis keep_dim=keepdim"},
      {"reduce_amax", "amax", "X dim", "Out", ReduceAxes, "ReduceMax", "dim=axis keep_dim=keepdim"},
      {"reduce_amin", "amin", "X dim", "Out", ReduceAxes, "ReduceMin", "dim=axis keep_dim=keepdim"},
      {"reduce_any", "any", "X dim", "Out", ReduceAxes, "ReduceMax", "dim=axis keep_dim=keepdim"},
      {"reduce_max", "max", "X dim", "Out", ReduceAxes, "ReduceMax", "dim=axis keep_dim=keepdim"},
      {"reduce_mean", "mean", "X dim", "Out", ReduceAxes, "ReduceMean", "dim=axis keep_dim=keepdim"},
      {"reduce_min", "min", "X dim", "Out", ReduceAxes, "ReduceMin", "dim=axis keep_dim=keepdim"},
      {"reduce_prod", "prod", "X dim", "Out", ReduceSum, "ReduceProd", "dim=axis keep_dim=keepdim out_dtype=dtype"},
      {"reduce_sum", "sum", "X dim", "Out", ReduceSum, "ReduceSum", "dim=axis keep_dim=keepdim out_dtype=dtype"},
      {"top_k top_k_v2", "topk", "X k=K", "Out Indices", TopK},
  };
}
// clang-format on

}  // namespace athanor::paddle
