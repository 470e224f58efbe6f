// Rows of columns on their way back into an image.
#include "kernels/conv/columns_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

void AddNeighbours(const float* x, std::size_t n, float* y) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) Store(hn::Add(Load(y + i), Load(x + i)), y + i);
  if (i < n) StoreN(hn::Add(LoadN(y + i, n - i), LoadN(x + i, n - i)), y + i, n - i);
}

// Two vectors of y at a time, whose odd elements stay. The last of them exists when one more
// element of x follows.
std::size_t AddEverySecond(const float* x, std::size_t n, float* y) {
  std::size_t i = 0;
  for (; i + kLanes < n; i += kLanes) {
    F32 even, odd;
    hn::LoadInterleaved2(kF32, y + 2 * i, even, odd);
    hn::StoreInterleaved2(hn::Add(even, Load(x + i)), odd, kF32, y + 2 * i);
  }
  return i;
}

void Add(const float* x, std::size_t n, float* y, std::size_t stride) {
  if (stride == 1) return AddNeighbours(x, n, y);
  for (std::size_t i = stride == 2 ? AddEverySecond(x, n, y) : 0; i < n; ++i) y[i * stride] += x[i];
}

}  // namespace

extern const ColumnTable kColumns = {.add = Add};

}  // namespace athanor::kernels::ATH_ISA
