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

// to[p][i] = factor * from[i][p] for rows of a tile. Four rows and four columns are turned in
// registers; what a row at a time writes is too scattered.
void Pack(const float* from, std::size_t row_stride, std::size_t rows, std::size_t k, float factor,
          float* to) {
  constexpr hn::FixedTag<float, 4> kFour;
  constexpr hn::FixedTag<float, 2> kTwo;
  const auto scale = hn::Set(kFour, factor);
  std::size_t row = 0;
  for (; row + 4 <= rows; row += 4) {
    const float* const a = from + row * row_stride;
    const auto load = [&](std::size_t i, std::size_t p) {
      return hn::Mul(scale, hn::LoadU(kFour, a + i * row_stride + p));
    };
    std::size_t p = 0;
    for (; p + 4 <= k; p += 4) {
      const auto r0 = load(0, p), r1 = load(1, p), r2 = load(2, p), r3 = load(3, p);
      const auto low01 = hn::InterleaveLower(kFour, r0, r1),
                 low23 = hn::InterleaveLower(kFour, r2, r3);
      const auto high01 = hn::InterleaveUpper(kFour, r0, r1),
                 high23 = hn::InterleaveUpper(kFour, r2, r3);
      float* const at = to + p * rows + row;
      hn::StoreU(hn::ConcatLowerLower(kFour, low23, low01), kFour, at);
      hn::StoreU(hn::ConcatUpperUpper(kFour, low23, low01), kFour, at + rows);
      hn::StoreU(hn::ConcatLowerLower(kFour, high23, high01), kFour, at + 2 * rows);
      hn::StoreU(hn::ConcatUpperUpper(kFour, high23, high01), kFour, at + 3 * rows);
    }
    for (; p < k; ++p) {
      for (std::size_t i = 0; i < 4; ++i) to[p * rows + row + i] = factor * a[i * row_stride + p];
    }
  }
  for (; row + 2 <= rows; row += 2) {
    const float* const a = from + row * row_stride;
    std::size_t p = 0;
    for (; p + 4 <= k; p += 4) {
      const auto r0 = hn::Mul(scale, hn::LoadU(kFour, a + p));
      const auto r1 = hn::Mul(scale, hn::LoadU(kFour, a + row_stride + p));
      const auto low = hn::InterleaveLower(kFour, r0, r1),
                 high = hn::InterleaveUpper(kFour, r0, r1);
      float* const at = to + p * rows + row;
      hn::StoreU(hn::LowerHalf(kTwo, low), kTwo, at);
      hn::StoreU(hn::UpperHalf(kTwo, low), kTwo, at + rows);
      hn::StoreU(hn::LowerHalf(kTwo, high), kTwo, at + 2 * rows);
      hn::StoreU(hn::UpperHalf(kTwo, high), kTwo, at + 3 * rows);
    }
    for (; p < k; ++p) {
      to[p * rows + row] = factor * a[p];
      to[p * rows + row + 1] = factor * a[row_stride + p];
    }
  }
  if (row < rows) {
    for (std::size_t p = 0; p < k; ++p) to[p * rows + row] = factor * from[row * row_stride + p];
  }
}

template <int kRows>
HWY_INLINE constexpr void Fill(GemmTable& table) {
  table.micro[kRows] = Micro<kRows>;
  if constexpr (kRows > 1) Fill<kRows - 1>(table);
}

HWY_INLINE constexpr GemmTable Table() {
  GemmTable table = {.rows = kTallest, .cols = kCols, .pack = Pack};
  Fill<kTallest>(table);
  return table;
}

}  // namespace

extern constexpr GemmTable kGemm = Table();

}  // namespace athanor::kernels::ATH_ISA
