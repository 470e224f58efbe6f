// Inverse: inverses of square matrices.
#include <cmath>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

Status InferInverse(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, FloatTypes{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  const Type& x = ctx.In(0);
  ctx.out[0] = x;
  if (!x.HasRank()) return {};
  const Dim &rows = x.dim(x.rank() - 2), &columns = x.dim(x.rank() - 1);
  if (rows.IsConst() && columns.IsConst() && !(rows == columns))
    return InvalidModel("square matrices are expected, {} is given", x.ToString());
  return {};
}

// Gauss-Jordan elimination with the largest pivot of each column, on [m | identity]. A singular
// matrix ends in infinities and NaNs, as floating-point division tells.
void Invert(std::vector<double>& m, std::vector<double>& inverse, std::size_t n) {
  for (std::size_t i = 0; i < n * n; ++i) inverse[i] = i % (n + 1) == 0 ? 1 : 0;
  const auto add = [n](std::vector<double>& matrix, std::size_t to, std::size_t from,
                       double factor) {
    for (std::size_t j = 0; j < n; ++j) matrix[to * n + j] += factor * matrix[from * n + j];
  };
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::fabs(m[row * n + column]) > std::fabs(m[pivot * n + column])) pivot = row;
    }
    for (std::size_t j = 0; j < n && pivot != column; ++j) {
      std::swap(m[pivot * n + j], m[column * n + j]);
      std::swap(inverse[pivot * n + j], inverse[column * n + j]);
    }
    const double by = m[column * n + column];
    for (std::size_t j = 0; j < n; ++j) {
      m[column * n + j] /= by;
      inverse[column * n + j] /= by;
    }
    for (std::size_t row = 0; row < n; ++row) {
      if (row == column) continue;
      const double factor = -m[row * n + column];
      add(m, row, column, factor);
      add(inverse, row, column, factor);
    }
  }
}

Status InverseReference(RefCtx& ctx) {
  if (ctx.In(0).count() == 0) return {};
  const auto n = static_cast<std::size_t>(ctx.In(0).dims().back());
  if (ctx.In(0).dim(ctx.In(0).rank() - 2) != ctx.In(0).dims().back())
    return InvalidModel("square matrices are expected, {} is given", ToString(ctx.In(0).dims()));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    std::vector<double> matrix(n * n), inverse(n * n);
    for (std::size_t first = 0; first < x.size(); first += n * n) {
      for (std::size_t i = 0; i < n * n; ++i) matrix[i] = static_cast<double>(x[first + i]);
      Invert(matrix, inverse, n);
      for (std::size_t i = 0; i < n * n; ++i)
        y[first + i] = static_cast<T>(static_cast<ComputeType<T>>(inverse[i]));
    }
    return {};
  });
}

// 2 n^3 per matrix.
Dim InverseCost(const CostCtx& ctx) {
  const Type& x = *ctx.in[0];
  if (!x.HasRank()) return Dim::Unknown();
  return ElementCount(*x.shape) * x.shape->back() * Dim(2);
}

}  // namespace

OpDef Inverse() {
  return {
      .name = "Inverse",
      .summary = "The inverse of each square matrix; infinities or NaNs for a singular one.",
      .inputs = {{"x", "[..., n, n], floating point"}},
      .outputs = {{"y", "same shape and type as x"}},
      .infer = InferInverse,
      .reference = InverseReference,
      .flops = InverseCost,
  };
}

}  // namespace athanor::ops
