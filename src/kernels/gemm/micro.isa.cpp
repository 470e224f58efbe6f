// The inner loop of every matrix product: a tile of c held in registers.
//
// The tile is two vectors wide and as tall as the registers allow: 14x32 with AVX-512 (28 of 32
// registers), 6x16 with AVX2, 4x8 without. One multiply-add per accumulator and step of k, a
// broadcast from memory, covers the latency of the unit as soon as there are 4 rows. Lines of c are
// asked for before the sum that goes there, so that nothing waits for them at its end.
#include "kernels/gemm/micro_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kCols = 2 * kLanes;
constexpr int kTallest = kLanes == 16 ? 14 : kLanes == 8 ? 6 : 4;
// With AVX-512 a step of k takes 28 multiply-adds for two vectors of a panel: those may come from
// the second-level cache, in the order in which they lie, and c is read and written the less often
// the longer the block. With fewer registers a panel has to stay in the first-level cache.
constexpr std::size_t kLongest = kLanes == 16 ? 1024 : 256;
// Half of a second-level cache: of 1 MiB at least with AVX-512, of 512 KiB else.
constexpr std::size_t kChunk = kLanes == 16 ? 131072 : 65536;

// kPart: only the first n elements exist.
template <bool kPart>
HWY_INLINE F32 LoadSome(const float* p, std::size_t n) {
  return kPart ? LoadN(p, n) : Load(p);
}
template <bool kPart>
HWY_INLINE void StoreSome(F32 v, float* p, std::size_t n) {
  if (kPart) {
    StoreN(v, p, n);
  } else {
    Store(v, p);
  }
}

// The tile plus what lies at x, rows `stride` apart.
template <int kRows, bool kPart>
HWY_INLINE void AddRows(const float* x, std::size_t stride, std::size_t cols, F32* left,
                        F32* right) {
  const std::size_t first = cols < kLanes ? cols : kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, x += stride) {
    left[i] = hn::Add(left[i], LoadSome<kPart>(x, first));
    right[i] = hn::Add(right[i], LoadSome<kPart>(x + kLanes, cols - first));
  }
}

template <int kRows, bool kPart>
HWY_INLINE void Finish(F32* left, F32* right, float* c, std::size_t ldc, std::size_t cols,
                       const TileEnd& end) {
  if (end.accumulate) AddRows<kRows, kPart>(c, ldc, cols, left, right);
  if (end.row_bias != nullptr) {
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const F32 bias = Set(end.row_bias[i]);
      left[i] = hn::Add(left[i], bias);
      right[i] = hn::Add(right[i], bias);
    }
  }
  if (end.col_bias != nullptr) AddRows<kRows, kPart>(end.col_bias, 0, cols, left, right);
  if (end.residual != nullptr) AddRows<kRows, kPart>(end.residual, ldc, cols, left, right);
  if (end.clamp) {
    const F32 low = Set(end.low), high = Set(end.high);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      left[i] = Clamp(left[i], low, high);
      right[i] = Clamp(right[i], low, high);
    }
  }
  const std::size_t first = cols < kLanes ? cols : kLanes;
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += ldc) {
    StoreSome<kPart>(left[i], c, first);
    StoreSome<kPart>(right[i], c + kLanes, cols - first);
  }
}

template <int kRows>
HWY_INLINE void Step(const float* a, std::size_t row_step, const float* b, F32* left, F32* right) {
  const F32 b0 = Load(b), b1 = Load(b + kLanes);
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    const F32 x = Set(a[static_cast<std::size_t>(i) * row_step]);
    left[i] = MulAdd(x, b0, left[i]);
    right[i] = MulAdd(x, b1, right[i]);
  }
}

// Element (i, p) of a at a[i * row_step + p * k_step].
template <int kRows>
HWY_INLINE void Tile(std::size_t k, const float* a, std::size_t row_step, std::size_t k_step,
                     const float* b, float* c, std::size_t ldc, std::size_t cols,
                     const TileEnd& end) {
  F32 left[kRows], right[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
    left[i] = right[i] = Zero();
    const float* const row = c + static_cast<std::size_t>(i) * ldc;
    __builtin_prefetch(row);
    __builtin_prefetch(row + cols - 1);
  }
  constexpr std::size_t kSteps = 4, kLine = 16, kAsked = 2 * kLine;
  const float *ahead = end.ahead, *const ahead_end = ahead + end.ahead_floats;
  std::size_t p = 0;
  for (; p + kSteps <= k; p += kSteps, a += kSteps * k_step, b += kSteps * kCols) {
    if (ahead < ahead_end) {
      __builtin_prefetch(ahead, 0, 2);  // into the second-level cache
      __builtin_prefetch(ahead + kLine, 0, 2);
      ahead += kAsked;
    }
#pragma GCC unroll 4
    for (std::size_t u = 0; u < kSteps; ++u)
      Step<kRows>(a + u * k_step, row_step, b + u * kCols, left, right);
  }
  for (; p < k; ++p, a += k_step, b += kCols) Step<kRows>(a, row_step, b, left, right);
  for (; ahead < ahead_end; ahead += kLine) __builtin_prefetch(ahead, 0, 2);
  if (cols == kCols) {
    Finish<kRows, false>(left, right, c, ldc, cols, end);
  } else {
    Finish<kRows, true>(left, right, c, ldc, cols, end);
  }
}

template <int kRows>
void Micro(std::size_t k, const float* a, const float* b, float* c, std::size_t ldc,
           std::size_t cols, const TileEnd& end) {
  Tile<kRows>(k, a, 1, kRows, b, c, ldc, cols, end);
}
template <int kRows>
void MicroInRows(std::size_t k, const float* a, std::size_t row_stride, const float* b, float* c,
                 std::size_t ldc, std::size_t cols, const TileEnd& end) {
  Tile<kRows>(k, a, row_stride, 1, b, c, ldc, cols, end);
}

// Two vectors of one row, `row` and `col` counted from c.
HWY_INLINE void FinishAt(F32 left, F32 right, float* c, std::size_t ldc, std::size_t row,
                         std::size_t col, std::size_t cols, TileEnd end) {
  if (end.row_bias != nullptr) end.row_bias += row;
  if (end.col_bias != nullptr) end.col_bias += col;
  if (end.residual != nullptr) end.residual += row * ldc + col;
  if (cols - col >= kCols) {
    Finish<1, false>(&left, &right, c + row * ldc + col, ldc, kCols, end);
  } else {
    Finish<1, true>(&left, &right, c + row * ldc + col, ldc, cols - col, end);
  }
}

// Chains: where rows and panels are few, so many sums of every kChains-th product run side by side.
template <int kRows, int kPanels>
void FewRows(std::size_t k, const float* a, std::size_t lda, const float* b,
             std::size_t panel_stride, float* c, std::size_t ldc, std::size_t cols,
             const TileEnd& end) {
  constexpr int kVectors = 2 * kPanels;
  constexpr int kChains = kRows * kVectors >= 6 ? 1 : 8 / (kRows * kVectors);
  F32 sum[kChains][kRows][kVectors];
#pragma GCC unroll 8
  for (auto& chain : sum) {
#pragma GCC unroll 8
    for (auto& row : chain) {
#pragma GCC unroll 8
      for (F32& v : row) v = Zero();
    }
  }
  const auto add = [&](std::size_t p, auto& chain) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const auto at = static_cast<std::size_t>(v);
      const F32 w = Load(b + at / 2 * panel_stride + p * kCols + at % 2 * kLanes);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i)
        chain[i][v] = MulAdd(Set(a[static_cast<std::size_t>(i) * lda + p]), w, chain[i][v]);
    }
  };
  std::size_t p = 0;
  for (; p + kChains <= k; p += kChains) {
#pragma GCC unroll 8
    for (int chain = 0; chain < kChains; ++chain)
      add(p + static_cast<std::size_t>(chain), sum[chain]);
  }
  for (; p < k; ++p) add(p, sum[0]);
  const auto total = [&](int row, int v) {
    F32 all = sum[0][row][v];
#pragma GCC unroll 8
    for (int chain = 1; chain < kChains; ++chain) all = hn::Add(all, sum[chain][row][v]);
    return all;
  };
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 8
    for (int panel = 0; panel < kPanels; ++panel) {
      const auto row = static_cast<std::size_t>(i), col = static_cast<std::size_t>(panel) * kCols;
      if (col >= cols) break;
      FinishAt(total(i, 2 * panel), total(i, 2 * panel + 1), c, ldc, row, col, cols, end);
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

// Row by row, as b lies in memory.
void PackPanels(const float* from, std::size_t row_stride, std::size_t k, std::size_t panels,
                float* to, std::size_t panel_stride) {
  for (std::size_t p = 0; p < k; ++p, from += row_stride, to += kCols) {
    for (std::size_t panel = 0; panel < panels; ++panel) {
      const F32 left = Load(from + panel * kCols), right = Load(from + panel * kCols + kLanes);
      Store(left, to + panel * panel_stride);
      Store(right, to + panel * panel_stride + kLanes);
    }
  }
}

template <int kRows>
HWY_INLINE constexpr void Fill(GemmTable& table) {
  table.micro[kRows] = Micro<kRows>;
  table.micro_in_rows[kRows] = MicroInRows<kRows>;
  if constexpr (kRows > 1) Fill<kRows - 1>(table);
}

template <int kRows, int kPanels>
HWY_INLINE constexpr void FillFewRows(GemmTable& table) {
  table.few_rows[kRows][kPanels] = FewRows<kRows, kPanels>;
  if constexpr (kPanels > 1) FillFewRows<kRows, kPanels - 1>(table);
}

HWY_INLINE constexpr GemmTable Table() {
  GemmTable table = {.rows = kTallest,
                     .cols = kCols,
                     .longest = kLongest,
                     .chunk = kChunk,
                     .pack = Pack,
                     .pack_panels = PackPanels};
  Fill<kTallest>(table);
  FillFewRows<1, 4>(table);
  FillFewRows<2, 2>(table);
  FillFewRows<3, 2>(table);
  return table;
}

}  // namespace

extern constexpr GemmTable kGemm = Table();

}  // namespace athanor::kernels::ATH_ISA
