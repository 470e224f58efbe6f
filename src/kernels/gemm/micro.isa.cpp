// The inner loop of every matrix product: a tile of c held in registers.
//
// The tile is two vectors wide and as tall as the registers allow: 14x32 with AVX-512 (28 of 32
// registers), 6x16 with AVX2, 4x8 without. One multiply-add per accumulator and step of k, a
// broadcast from memory, covers the latency of the unit as soon as there are 4 rows.
#include "kernels/gemm/micro_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kCols = 2 * kLanes;
constexpr int kTallest = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4;

// One vector of a finished row. kPart: only the first n lanes exist.
template <bool kPart>
HWY_INLINE void Finish(F32 v, float* c, std::size_t offset, std::size_t n, std::size_t row,
                       std::size_t col, const TileEnd& end) {
  const auto load = [n](const float* p) { return kPart ? LoadN(p, n) : Load(p); };
  if (end.accumulate) v = hn::Add(v, load(c + offset));
  if (end.row_bias != nullptr) v = hn::Add(v, Set(end.row_bias[row]));
  if (end.col_bias != nullptr) v = hn::Add(v, load(end.col_bias + col));
  if (end.residual != nullptr) v = hn::Add(v, load(end.residual + offset));
  if (end.clamp) v = Clamp(v, Set(end.low), Set(end.high));
  if (kPart) {
    StoreN(v, c + offset, n);
  } else {
    Store(v, c + offset);
  }
}

template <int kRows>
void Micro(std::size_t k, const float* a, const float* b, float* c, std::size_t ldc,
           std::size_t cols, const TileEnd& end) {
  F32 left[kRows], right[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) left[i] = right[i] = Zero();
  for (std::size_t p = 0; p < k; ++p, a += kRows, b += kCols) {
    const F32 b0 = Load(b), b1 = Load(b + kLanes);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const F32 x = Set(a[i]);
      left[i] = MulAdd(x, b0, left[i]);
      right[i] = MulAdd(x, b1, right[i]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const auto row = static_cast<std::size_t>(i);
    const std::size_t at = row * ldc;
    if (cols >= kLanes) {
      Finish<false>(left[i], c, at, 0, row, 0, end);
    } else {
      Finish<true>(left[i], c, at, cols, row, 0, end);
    }
    if (cols == kCols) {
      Finish<false>(right[i], c, at + kLanes, 0, row, kLanes, end);
    } else if (cols > kLanes) {
      Finish<true>(right[i], c, at + kLanes, cols - kLanes, row, kLanes, end);
    }
  }
}

template <int kRows>
HWY_INLINE constexpr void Fill(GemmTable& table) {
  table.micro[kRows] = Micro<kRows>;
  if constexpr (kRows > 1) Fill<kRows - 1>(table);
}

HWY_INLINE constexpr GemmTable Table() {
  GemmTable table = {.rows = kTallest, .cols = kCols};
  Fill<kTallest>(table);
  return table;
}

}  // namespace

extern constexpr GemmTable kGemm = Table();

}  // namespace athanor::kernels::ATH_ISA
