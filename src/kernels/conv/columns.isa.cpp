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

void AddPairsOf(const float* x, const float* other, std::size_t n, float* y) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    float turned[2 * kLanes];
    hn::StoreInterleaved2(Load(x + i), Load(other + i), kF32, turned);
    float* const to = y + 2 * i;
    Store(hn::Add(Load(to), Load(turned)), to);
    Store(hn::Add(Load(to + kLanes), Load(turned + kLanes)), to + kLanes);
  }
  for (; i < n; ++i) {
    y[2 * i] += x[i];
    y[2 * i + 1] += other[i];
  }
}

// Calls f(x, y) for every row that lies somewhere.
template <class F>
HWY_INLINE void EachRow(const ColumnRows& rows, F f) {
  for (std::size_t r = 0; r < rows.rows; ++r) {
    if (rows.begins[r] >= 0) f(r * rows.x_stride, rows.y + rows.begins[r]);
  }
}

void Add(const ColumnRows& rows, std::size_t stride) {
  const std::size_t n = rows.n;
  EachRow(rows, [&](std::size_t at, float* y) {
    const float* x = rows.x + at;
    if (stride == 1) return AddNeighbours(x, n, y);
    for (std::size_t i = stride == 2 ? AddEverySecond(x, n, y) : 0; i < n; ++i)
      y[i * stride] += x[i];
  });
}

void AddPairs(const ColumnRows& rows, const float* other) {
  EachRow(rows, [&](std::size_t at, float* y) { AddPairsOf(rows.x + at, other + at, rows.n, y); });
}

}  // namespace

extern const ColumnTable kColumns = {.add = Add, .add_pairs = AddPairs};

}  // namespace athanor::kernels::ATH_ISA
