// Along axes: sums, extremes and where they are, order.
#include <algorithm>

#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

// All axes where none are named; with exclude = True all but the named ones.
IntList AxesOf(OpImport& ctx, std::int64_t rank) {
  IntList named = ctx.IntsOf("axis");
  for (std::int64_t& axis : named) axis = ctx.Axis(axis, rank);
  if (named.empty()) return OpImport::AllAxes(rank);
  if (!ctx.Flag("exclude")) return named;
  IntList rest;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (std::find(named.begin(), named.end(), axis) == named.end()) rest.push_back(axis);
  }
  return rest;
}

// Over all axes the result is a list of one: MXNet's symbols have no scalars.
void Reduction(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  const IntList axes = AxesOf(ctx, rank);
  const bool keep = ctx.Flag("keepdims");
  std::string_view op = ctx.row.op;
  if (op.empty()) {
    const std::int64_t order = ctx.Int("ord", 2);
    ctx.Expect(order == 1 || order == 2, "ord = {} is not read; 1 and 2 are", order);
    op = order == 1 ? "ReduceL1" : "ReduceL2";
  }
  const ValueId y = ctx.Reduce(op, x, axes, keep);
  ctx.Give(std::ssize(axes) == rank && !keep ? ctx.Reshape(y, {1}) : y);
}

// Positions are numbers of type float32.
void PositionOf(OpImport& ctx) {
  ValueId x = ctx.In();
  const bool is_channel = ctx.node.op == "argmax_channel";
  const bool keep = ctx.Flag("keepdims"), flat = !is_channel && !ctx.IsGiven("axis");
  ctx.Expect(!flat || !keep, "keepdims without an axis is not read");
  if (flat) x = ctx.Reshape(x, {-1});
  const std::int64_t axis = is_channel ? 1 : flat ? 0 : ctx.Int("axis", 0);
  const ValueId y =
      ctx.Op(ctx.row.op, {x}, {{"axis", axis}, {"keepdims", std::int64_t{keep || flat}}});
  ctx.Give(ctx.Cast(y, DType::kF32));
}

struct Order {
  ValueId values = kNoValue, positions = kNoValue;
};
Order Sorted(OpImport& ctx, ValueId x, std::int64_t axis, std::int64_t k, bool ascending) {
  const std::int64_t from_front = ctx.Axis(axis, ctx.Rank(x));
  const ValueId count = k >= 1 ? ctx.Ints({k}) : ctx.SizeOf(x, from_front);
  const std::vector<ValueId> both =
      ctx.Ops("TopK", {x, count}, 2, {{"axis", from_front}, {"largest", std::int64_t{!ascending}}});
  return {both[0], both[1]};
}

void TopK(OpImport& ctx) {
  const ValueId x = ctx.In();
  ctx.Expect(!ctx.node.Find("axis") || ctx.IsGiven("axis"), "axis = None is not read");
  const Order order = Sorted(ctx, x, ctx.Int("axis", -1), ctx.Int("k", 1), ctx.Flag("is_ascend"));
  const ValueId positions = ctx.Cast(order.positions, ctx.TypeOr("dtype", DType::kF32));
  const std::string_view kind = ctx.Text("ret_typ", "indices");
  if (kind == "value") return ctx.Give(order.values);
  if (kind == "both") {
    ctx.outputs = {order.values, positions};
    return;
  }
  if (ctx.Expect(kind == "indices", "ret_typ {} is not read; value, indices and both are",
                 kind.substr(0, 40)))
    ctx.Give(positions);
}

void Sort(OpImport& ctx) {
  ctx.Expect(!ctx.node.Find("axis") || ctx.IsGiven("axis"), "axis = None is not read");
  const Order order = Sorted(ctx, ctx.In(), ctx.Int("axis", -1), 0, ctx.Flag("is_ascend", true));
  ctx.Give(ctx.node.op == "sort" ? order.values
                                 : ctx.Cast(order.positions, ctx.TypeOr("dtype", DType::kF32)));
}

}  // namespace

std::vector<Row> ReduceRows() {
  return {
      {"argmax argmax_channel", PositionOf, "ArgMax"},
      {"argmin", PositionOf, "ArgMin"},
      {"argsort sort", Sort},
      {"max max_axis", Reduction, "ReduceMax"},
      {"mean", Reduction, "ReduceMean"},
      {"min min_axis", Reduction, "ReduceMin"},
      {"norm", Reduction},
      {"prod", Reduction, "ReduceProd"},
      {"sum sum_axis", Reduction, "ReduceSum"},
      {"topk", TopK},
  };
}

}  // namespace athanor::mxnet
