// The largest tile fills the registers: 2 blocks of channels by 6 positions with 16 registers, 4 by
// 6 with 32. The vectors of w are loaded once per k, an element of x is broadcast once per column;
// one multiply-add per accumulator and k covers the latency of the unit from 8 accumulators on.
#include "kernels/conv/tile_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

constexpr int kMostBlocks = kLanes == 16 ? 4 : 2;
constexpr int kMostColumns = kLanes == 4 ? 4 : 6;

// `shift`: of the tile's first column, in floats of y.
template <int kBlocks, int kColumns>
HWY_INLINE void Begin(const ConvTile& t, std::size_t shift, F32 (&acc)[kBlocks][kColumns]) {
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; ++b) {
    const float* y = t.y + static_cast<std::size_t>(b) * t.y_block + shift;
    const F32 start = t.bias != nullptr && !t.accumulate
                          ? Load(t.bias + static_cast<std::size_t>(b) * kLanes)
                          : Zero();
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j)
      acc[b][j] = t.accumulate ? Load(y + static_cast<std::size_t>(j) * kLanes) : start;
  }
}

template <int kBlocks, int kColumns>
HWY_INLINE void Finish(const ConvTile& t, std::size_t shift, F32 (&acc)[kBlocks][kColumns]) {
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; ++b) {
    const std::size_t at = static_cast<std::size_t>(b) * t.y_block + shift;
    if (t.residual != nullptr) {
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) {
        acc[b][j] =
            hn::Add(acc[b][j], Load(t.residual + at + static_cast<std::size_t>(j) * kLanes));
      }
    }
    if (t.clamp) {
      const F32 low = Set(t.low), high = Set(t.high);
#pragma GCC unroll 8
      for (int j = 0; j < kColumns; ++j) acc[b][j] = Clamp(acc[b][j], low, high);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kColumns; ++j)
      Store(acc[b][j], t.y + at + static_cast<std::size_t>(j) * kLanes);
  }
}

// acc += w[block] * x[column], for the vectors of w and one element of each x. kSome: only the
// columns whose bit is set in `there`.
template <bool kSome, int kBlocks, int kColumns>
HWY_INLINE void MultiplyAdd(const float* w, const float* const (&x)[kColumns], std::ptrdiff_t step,
                            unsigned there, F32 (&acc)[kBlocks][kColumns]) {
  F32 weights[kBlocks];
#pragma GCC unroll 8
  for (int b = 0; b < kBlocks; ++b) weights[b] = Load(w + static_cast<std::size_t>(b) * kLanes);
#pragma GCC unroll 8
  for (int j = 0; j < kColumns; ++j) {
    if (kSome && (there >> j & 1) == 0) continue;
    const F32 v = Set(x[j][step]);
#pragma GCC unroll 8
    for (int b = 0; b < kBlocks; ++b) acc[b][j] = MulAdd(v, weights[b], acc[b][j]);
  }
}
template <int kBlocks, int kColumns>
HWY_INLINE void MultiplyAdd(const float* w, const float* const (&x)[kColumns], std::ptrdiff_t step,
                            F32 (&acc)[kBlocks][kColumns]) {
  MultiplyAdd<false>(w, x, step, 0, acc);
}

// What the next call needs, asked for a line at a time during the sum, so that no request waits for
// room among the others: into the second-level cache, which weights leave between two runs of a
// large network.
class Ahead {
 public:
  Ahead(const ConvTile& t, std::size_t repeat)
      : next_(t.ahead + repeat * t.ahead_floats), end_(next_ + t.ahead_floats) {}
  HWY_INLINE bool any() const { return next_ < end_; }
  HWY_INLINE void Ask() {
    __builtin_prefetch(next_, 0, 2);
    next_ += kLine;
  }

 private:
  static constexpr std::size_t kLine = 16;  // floats
  const float *next_, *end_;
};

template <int kBlocks, int kColumns>
void Tile(const ConvTile& t) {
  for (std::size_t repeat = 0; repeat < t.repeats; ++repeat) {
    Ahead ahead(t, repeat);
    const std::size_t column = repeat * kColumns;
    F32 acc[kBlocks][kColumns];
    Begin(t, column * kLanes, acc);
    const float* x[kColumns];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < kColumns; ++j) x[j] = t.x + t.columns[column + j];
    const float* w = t.w;
    std::size_t k = 0;
    for (; k < t.k && ahead.any(); ++k, w += kBlocks * kLanes) {
      ahead.Ask();
      MultiplyAdd(w, x, t.steps[k], acc);
    }
    for (; k < t.k; ++k, w += kBlocks * kLanes) MultiplyAdd(w, x, t.steps[k], acc);
    while (ahead.any()) ahead.Ask();
    Finish(t, column * kLanes, acc);
  }
}

// Read where a tap leaves the input and zeros are added like the rest: with narrower vectors a
// branch for every column takes as long as the multiply-adds that it saves.
alignas(64) constexpr float kZeros[16] = {};
constexpr bool kLeavesOut = kLanes == 16;

template <int kBlocks, int kColumns>
void IndirectTile(const ConvTile& t) {
  const IndirectTaps& from = t.indirect;
  for (std::size_t repeat = 0; repeat < t.repeats; ++repeat) {
    Ahead ahead(t, repeat);
    const std::size_t column = repeat * kColumns;
    const std::int32_t* const taps = t.columns + column * from.taps;
    F32 acc[kBlocks][kColumns];
    Begin(t, column * kLanes, acc);
    const float* w = t.w;
    for (std::size_t block = 0; block < from.blocks; ++block) {
      const float* const plane = t.x + static_cast<std::ptrdiff_t>(block) * from.x_block;
      const std::size_t lanes = block + 1 < from.blocks ? kLanes : from.last_lanes;
      for (std::size_t tap = 0; tap < from.taps; ++tap) {
        const float* x[kColumns];
        unsigned there = 0;  // the columns for which this tap lies inside the input
#pragma GCC unroll 8
        for (std::size_t j = 0; j < kColumns; ++j) {
          const std::int32_t at = taps[j * from.taps + tap];
          x[j] = at < 0 ? kZeros : plane + at;
          there |= (at >= 0 ? 1U : 0U) << j;
        }
        if (there == (1U << kColumns) - 1 || (there != 0 && !kLeavesOut)) {
          for (std::size_t c = 0; c < lanes; ++c, w += kBlocks * kLanes) {
            if (ahead.any()) ahead.Ask();
            MultiplyAdd(w, x, static_cast<std::ptrdiff_t>(c), acc);
          }
        } else if (there != 0) {
          for (std::size_t c = 0; c < lanes; ++c, w += kBlocks * kLanes) {
            if (ahead.any()) ahead.Ask();
            MultiplyAdd<true>(w, x, static_cast<std::ptrdiff_t>(c), there, acc);
          }
        } else {
          w += lanes * kBlocks * kLanes;
        }
      }
    }
    while (ahead.any()) ahead.Ask();
    Finish(t, column * kLanes, acc);
  }
}

template <int kBlocks, int kColumns>
HWY_INLINE constexpr void Fill(ConvTileTable& table) {
  table.tile[kBlocks][kColumns] = Tile<kBlocks, kColumns>;
  table.indirect[kBlocks][kColumns] = IndirectTile<kBlocks, kColumns>;
  if constexpr (kColumns > 1) Fill<kBlocks, kColumns - 1>(table);
  if constexpr (kColumns == 1 && kBlocks > 1) Fill<kBlocks - 1, kMostColumns>(table);
}

HWY_INLINE constexpr ConvTileTable Table() {
  ConvTileTable table = {.lanes = kLanes, .blocks = kMostBlocks, .columns = kMostColumns};
  Fill<kMostBlocks, kMostColumns>(table);
  return table;
}

}  // namespace

extern constexpr ConvTileTable kConvTiles = Table();

}  // namespace athanor::kernels::ATH_ISA
