// Reductions, orders and running sums.
#include <cmath>
#include <limits>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// The type in which sums of truth values and small integers are made.
ValueId Summed(OpImport& op, std::string_view dtype_argument) {
  const ValueId x = op.Tensor("self");
  const DType own = op.DTypeOf(x);
  return op.Cast(x, op.TypeOr(dtype_argument, IsFloat(own) ? own : DType::kI64));
}

// Of all elements, or along axes.
Value ReduceAll(OpImport& op) {
  const ValueId x = Summed(op, "dtype");
  return op.Give(op.Reduce(op.row.op, x, op.Axes("dim", op.Rank(x)), op.Flag("keepdim")));
}
Value ReduceEverything(OpImport& op) {
  const ValueId x = Summed(op, "dtype");
  Ints axes;
  for (std::int64_t axis = 0, rank = op.Rank(x); axis < rank; ++axis) axes.push_back(axis);
  return op.Give(op.Reduce(op.row.op, x, axes, false));
}
// The element type stays.
Value ReduceSame(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Reduce(op.row.op, x, op.Axes("dim", op.Rank(x)), op.Flag("keepdim")));
}
Value ReduceSameEverything(OpImport& op) {
  const ValueId x = op.Tensor("self");
  Ints axes;
  for (std::int64_t axis = 0, rank = op.Rank(x); axis < rank; ++axis) axes.push_back(axis);
  return op.Give(op.Reduce(op.row.op, x, axes, false));
}

// The largest or smallest along one axis, and where it is first.
Value ExtremeAlong(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  const bool keep = op.Flag("keepdim"), largest = std::string_view(op.row.op) == "ReduceMax";
  const ValueId value = op.Reduce(op.row.op, x, {axis}, keep);
  const ValueId place = op.Add(largest ? "ArgMax" : "ArgMin", {x},
                               {{"axis", axis}, {"keepdims", std::int64_t{keep}}});
  return op.GiveTuple({value, place});
}
Value ExtremeOfTwo(OpImport& op) {
  const DType dtype = op.Promoted("self", "other");
  const ValueId a = op.Operand("self", dtype);
  return op.Give(op.Add(op.row.op, {a, op.Operand("other", dtype)}));
}
Value ArgExtreme(OpImport& op) {
  ValueId x = op.Tensor("self");
  if (!op.Has("dim")) {
    x = op.Reshape(x, {-1});
    return op.Give(
        op.Add(op.row.op, {x}, {{"axis", std::int64_t{0}}, {"keepdims", std::int64_t{0}}}));
  }
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(
      op.Add(op.row.op, {x}, {{"axis", axis}, {"keepdims", std::int64_t{op.Flag("keepdim")}}}));
}

// Whether any, or all, are true: the largest or smallest as 0 or 1.
ValueId Truths(OpImport& op, const Ints& axes, bool keep) {
  const ValueId x = op.Cast(op.Cast(op.Tensor("self"), DType::kBool), DType::kI32);
  return op.Cast(op.Reduce(op.row.op, x, axes, keep), DType::kBool);
}
Value TruthOfAll(OpImport& op) {
  Ints axes;
  for (std::int64_t axis = 0, rank = op.Rank(op.Tensor("self")); axis < rank; ++axis)
    axes.push_back(axis);
  return op.Give(Truths(op, axes, false));
}
Value TruthAlong(OpImport& op) {
  const Ints axes = op.Axes("dim", op.Rank(op.Tensor("self")));
  return op.Give(Truths(op, axes, op.Flag("keepdim")));
}

// sum((x - mean)^2) / (n - correction), and its root.
ValueId Variance(OpImport& op, const Ints& axes, double correction, bool keep) {
  const ValueId x = op.Tensor("self");
  const DType dtype = op.DTypeOf(x);
  const ValueId away = op.Add("Sub", {x, op.Reduce("ReduceMean", x, axes, true)});
  const ValueId squares = op.Reduce("ReduceSum", op.Add("Mul", {away, away}), axes, keep);
  std::vector<Value> sizes;
  for (const std::int64_t axis : axes) sizes.push_back(op.SizeValue(x, axis));
  const ValueId count = op.Cast(op.Reduce("ReduceProd", op.Shape(sizes), {0}, false), dtype);
  const ValueId by = op.Add("Sub", {count, op.Number(correction, dtype)});
  return op.Add("Div", {squares, op.Add("Max", {by, op.Number(0, dtype)})});
}
ValueId VarianceOfCall(OpImport& op) {
  const Ints axes = op.Axes("dim", op.Rank(op.Tensor("self")));
  const double correction = op.Has("correction") ? op.Real("correction") : 1;
  return Variance(op, axes, correction, op.Flag("keepdim"));
}
ValueId VarianceOfFlag(OpImport& op) {
  const Ints axes = op.Axes("dim", op.Rank(op.Tensor("self")));
  return Variance(op, axes, op.Flag("unbiased") ? 1 : 0, op.Flag("keepdim"));
}
Value Var(OpImport& op) { return op.Give(VarianceOfCall(op)); }
Value VarFlag(OpImport& op) { return op.Give(VarianceOfFlag(op)); }
Value Std(OpImport& op) { return op.Give(op.Add("Sqrt", {VarianceOfCall(op)})); }
Value StdFlag(OpImport& op) { return op.Give(op.Add("Sqrt", {VarianceOfFlag(op)})); }
Value VarMean(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const Ints axes = op.Axes("dim", op.Rank(x));
  const ValueId var = VarianceOfCall(op);
  return op.GiveTuple({var, op.Reduce("ReduceMean", x, axes, op.Flag("keepdim"))});
}

// (sum |x|^p)^(1/p); 2 when p is None; the largest and smallest |x| for infinite p.
ValueId NormOf(OpImport& op, std::string_view order) {
  const ValueId x = op.Tensor("self");
  const Ints axes = op.Axes("dim", op.Rank(x));
  const bool keep = op.Flag("keepdim");
  const double p = op.Has(order) ? op.Real(order) : 2;
  if (p == 1) return op.Reduce("ReduceL1", x, axes, keep);
  if (p == 2) return op.Reduce("ReduceL2", x, axes, keep);
  const ValueId size = op.Add("Abs", {x});
  if (std::isinf(p)) return op.Reduce(p > 0 ? "ReduceMax" : "ReduceMin", size, axes, keep);
  if (!op.Expect(p != 0, "norms of order 0 are not read")) return kNoValue;
  const DType dtype = op.DTypeOf(x);
  const ValueId powers = op.Add("Pow", {size, op.Number(p, dtype)});
  return op.Add("Pow", {op.Reduce("ReduceSum", powers, axes, keep), op.Number(1 / p, dtype)});
}
Value Norm(OpImport& op) { return op.Give(NormOf(op, "p")); }
Value VectorNorm(OpImport& op) { return op.Give(NormOf(op, "ord")); }

Value TopK(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.GiveTuple(op.AddMany("TopK", {x, op.IntConstants({op.Int("k")})}, 2,
                                 {{"axis", axis},
                                  {"largest", std::int64_t{op.Flag("largest")}},
                                  {"sorted", std::int64_t{op.Flag("sorted")}}}));
}
// TopK of all: among equals the first index comes first, as in a stable sort.
std::vector<ValueId> Sorted(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.AddMany("TopK", {x, op.SizeOf(x, axis)}, 2,
                    {{"axis", axis}, {"largest", std::int64_t{op.Flag("descending")}}});
}
Value Sort(OpImport& op) { return op.GiveTuple(Sorted(op)); }
Value ArgSort(OpImport& op) { return op.Give(Sorted(op)[1]); }

Value Cumulative(OpImport& op) {
  const ValueId x = Summed(op, "dtype");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add(op.row.op, {x, op.Constant(Tensor::Scalar(axis))}));
}

}  // namespace

// clang-format off
std::vector<Row> ReduceRows() {
  return {
      {"all(Tensor self)", TruthOfAll, "ReduceMin"},
      {"all(Tensor self, int[1] dim, bool keepdim=False)", TruthAlong, "ReduceMin"},
      {"amax(Tensor self, int[1] dim=[], bool keepdim=False)", ReduceSame, "ReduceMax"},
      {"amin(Tensor self, int[1] dim=[], bool keepdim=False)", ReduceSame, "ReduceMin"},
      {"any(Tensor self)", TruthOfAll, "ReduceMax"},
      {"any(Tensor self, int[1] dim, bool keepdim=False)", TruthAlong, "ReduceMax"},
      {"argmax(Tensor self, int? dim=None, bool keepdim=False)", ArgExtreme, "ArgMax"},
      {"argmin(Tensor self, int? dim=None, bool keepdim=False)", ArgExtreme, "ArgMin"},
      {"argsort(Tensor self, int dim=-1, bool descending=False)", ArgSort},
      {"cumprod(Tensor self, int dim, *, any dtype=None)", Cumulative, "CumProd"},
      {"cumsum(Tensor self, int dim, *, any dtype=None)", Cumulative, "CumSum"},
      {"frobenius_norm(Tensor self, int[1] dim, bool keepdim=False, any p=None)", Norm},
      {"linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, any dtype=None)", VectorNorm},
      {"logsumexp(Tensor self, int[1] dim, bool keepdim=False)", ReduceSame, "ReduceLogSumExp"},
      {"max(Tensor self)", ReduceSameEverything, "ReduceMax"},
      {"max(Tensor self, Tensor other)", ExtremeOfTwo, "Max"},
      {"max(Tensor self, int dim, bool keepdim=False)", ExtremeAlong, "ReduceMax"},
      {"mean(Tensor self, *, any dtype=None)", ReduceEverything, "ReduceMean"},
      {"mean(Tensor self, int[1]? dim, bool keepdim=False, *, any dtype=None)", ReduceAll, "ReduceMean"},
      {"min(Tensor self)", ReduceSameEverything, "ReduceMin"},
      {"min(Tensor self, Tensor other)", ExtremeOfTwo, "Min"},
      {"min(Tensor self, int dim, bool keepdim=False)", ExtremeAlong, "ReduceMin"},
      {"norm(Tensor self, Scalar? p, int[1] dim=[], bool keepdim=False, *, any dtype=None)", Norm},
      {"prod(Tensor self, *, any dtype=None)", ReduceEverything, "ReduceProd"},
      {"prod(Tensor self, int[1] dim, bool keepdim=False, *, any dtype=None)", ReduceAll, "ReduceProd"},
      {"sort(Tensor self, *, any stable=None, int dim=-1, bool descending=False)", Sort},
      {"sort(Tensor self, int dim=-1, bool descending=False)", Sort},
      {"std(Tensor self, bool unbiased, any dim=None, any keepdim=None)", StdFlag},
      {"std(Tensor self, int[1]? dim, bool unbiased, bool keepdim=False)", StdFlag},
      {"std(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False)", Std},
      {"sum(Tensor self, *, any dtype=None)", ReduceEverything, "ReduceSum"},
      {"sum(Tensor self, int[1]? dim, bool keepdim=False, *, any dtype=None)", ReduceAll, "ReduceSum"},
      {"topk(Tensor self, int k, int dim=-1, bool largest=True, bool sorted=True)", TopK},
      {"var(Tensor self, bool unbiased, any dim=None, any keepdim=None)", VarFlag},
      {"var(Tensor self, int[1]? dim, bool unbiased, bool keepdim=False)", VarFlag},
      {"var(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False)", Var},
      {"var_mean(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False)", VarMean},
  };
}
// clang-format on

}  // namespace athanor::pytorch
