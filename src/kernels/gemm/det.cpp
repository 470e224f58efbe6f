// Det: Gaussian elimination in double, each thread a matrix at a time.
#include <algorithm>
#include <cmath>

#include "kernels/gemm/mat_mul.h"

namespace athanor::kernels {
namespace {

struct State {
  std::int64_t count = 0, n = 0;
};

Fit Fits(const KernelQuery& q) {
  return q.in[0].dtype == DType::kF32 ? Fit::Yes() : Fit::No("f32 only");
}

double Cost(const KernelQuery& q) {
  return 200 +
         static_cast<double>(q.in[0].count() * std::max<std::int64_t>(4, q.in[0].dims.back()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  *state = {.count = q.out[0].count(), .n = q.in[0].dims.back()};
  return Prepared{state, q.threads * state->n * state->n * 8};
}

// The largest element of what is left of each column is its pivot; destroys the matrix.
double Determinant(double* m, std::int64_t n) {
  double product = 1;
  for (std::int64_t k = 0; k < n; ++k) {
    double* const top = m + k * n;
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < n; ++i) {
      if (std::fabs(m[i * n + k]) > std::fabs(m[pivot * n + k])) pivot = i;
    }
    if (m[pivot * n + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(top + k, top + n, m + pivot * n + k);
      product = -product;
    }
    product *= top[k];
    for (double* row = top + n; row < m + n * n; row += n) {
      const double factor = row[k] / top[k];
      for (std::int64_t j = k; j < n; ++j) row[j] -= factor * top[j];
    }
  }
  return product;
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t size = s.n * s.n;
  const std::int64_t grain = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, size));
  Parallel(args, s.count, grain, [&](std::int64_t begin, std::int64_t end, int thread) {
    double* const matrix = reinterpret_cast<double*>(args.scratch) + thread * size;
    for (std::int64_t i = begin; i < end; ++i) {
      std::copy_n(args.In(0) + i * size, size, matrix);
      args.Out(0)[i] = static_cast<float>(Determinant(matrix, s.n));
    }
  });
}

}  // namespace

std::vector<KernelDef> DetKernels() {
  return {{.name = "Det.double",
           .op = "Det",
           .fits = Fits,
           .cost_ns = Cost,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
