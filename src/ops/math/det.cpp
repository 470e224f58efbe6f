// Det: determinants of square matrices.
#include <cmath>

#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

Status InferDet(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, FloatTypes{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  const Type& x = ctx.In(0);
  if (!x.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
    return {};
  }
  const Dim &rows = x.dim(x.rank() - 2), &columns = x.dim(x.rank() - 1);
  if (rows.IsConst() && columns.IsConst() && !(rows == columns))
    return InvalidModel("square matrices are expected, {} is given", x.ToString());
  ctx.out[0] = Type::Tensor(x.dtype, Shape(x.shape->begin(), x.shape->end() - 2));
  return {};
}

// Gaussian elimination with the largest pivot of each column; destroys the matrix.
double Determinant(std::vector<double>& m, std::size_t n) {
  double result = 1;
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row) {
      if (std::fabs(m[row * n + column]) > std::fabs(m[pivot * n + column])) pivot = row;
    }
    if (m[pivot * n + column] == 0) return 0;
    if (pivot != column) {
      for (std::size_t j = 0; j < n; ++j) std::swap(m[pivot * n + j], m[column * n + j]);
      result = -result;
    }
    result *= m[column * n + column];
    for (std::size_t row = column + 1; row < n; ++row) {
      const double factor = m[row * n + column] / m[column * n + column];
      for (std::size_t j = column; j < n; ++j) m[row * n + j] -= factor * m[column * n + j];
    }
  }
  return result;
}

Status DetReference(RefCtx& ctx) {
  const auto n = static_cast<std::size_t>(ctx.In(0).dims().back());
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const T* x = ctx.Data<T>(0).data();
    std::vector<double> matrix(n * n);
    for (T& y : ctx.OutData<T>(0)) {
      for (double& value : matrix) value = static_cast<double>(*x++);
      y = static_cast<T>(Determinant(matrix, n));
    }
    return {};
  });
}

// Two thirds of n^3 per matrix.
Dim DetCost(const CostCtx& ctx) {
  const Type& x = *ctx.in[0];
  if (!x.HasRank()) return Dim::Unknown();
  return FloorDiv(ElementCount(*x.shape) * x.shape->back() * Dim(2), Dim(3));
}

}  // namespace

OpDef Det() {
  return {
      .name = "Det",
      .summary = "The determinant of each square matrix.",
      .inputs = {{"x", "[..., n, n], floating point"}},
      .outputs = {{"y", "[...]"}},
      .infer = InferDet,
      .reference = DetReference,
      .flops = DetCost,
  };
}

}  // namespace athanor::ops
