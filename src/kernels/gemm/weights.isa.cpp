// Weights become floats in registers, on their way from memory to the multiply-add.
//
// A word holds the integers of one column in 4 or 8 rows that follow each other. An integer that
// is put into the mantissa of 2^23 makes it 2^23 + q, or 2^23 + unit * q where it stays in its
// place in the word: an `or` and the subtraction of a zero point, which is due anyway, take the
// place of a conversion. All of that is exact. Within a group q - zero is multiplied and the sum is
// scaled at its end: one multiplication for a group in place of one for each weight.
#include "kernels/gemm/weights_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kCols = 2 * kLanes;
constexpr std::size_t kHeadBytes = kCols * (sizeof(float) + 1);
constexpr std::size_t kStepBytes = kCols * 4;
constexpr hn::Rebind<std::uint8_t, FloatTag> kBytes;

// Places in half a word: an integer in the upper half would not fit into a mantissa.
template <int kBits>
constexpr int kPlaces = 16 / kBits;
template <int kBits>
constexpr float UnitOf(int place) {
  return static_cast<float>(1 << (kBits * place));
}

template <int kBits>
HWY_INLINE F32 Placed(I32 half, int place) {
  return hn::BitCast(kF32, hn::OrAnd(hn::Set(kI32, 0x4B000000), half,
                                     hn::Set(kI32, ((1 << kBits) - 1) << (kBits * place))));
}

// What stands before the rows of a group, for the columns on the left and on the right: its zero
// points as Placed gives them.
template <int kBits>
struct Head {
  F32 scale[2];
  F32 zero[2][kPlaces<kBits>];

  HWY_INLINE explicit Head(const std::uint8_t* p) {
    const std::uint8_t* const zeros = p + kCols * sizeof(float);
#pragma GCC unroll 2
    for (std::size_t side = 0; side < 2; ++side) {
      scale[side] = Load(reinterpret_cast<const float*>(p) + side * kLanes);
      const F32 integers =
          hn::ConvertTo(kF32, hn::PromoteTo(kI32, hn::LoadU(kBytes, zeros + side * kLanes)));
#pragma GCC unroll 4
      for (int place = 0; place < kPlaces<kBits>; ++place)
        zero[side][place] = MulAdd(integers, Set(UnitOf<kBits>(place)), Set(8388608.0F));
    }
  }
};

HWY_INLINE I32 LoadWords(const std::uint8_t* p) {
  return hn::LoadU(kI32, reinterpret_cast<const std::int32_t*>(p));
}

// Sums of one row have one for each place, in its unit: they do not wait for each other. Weights
// that several rows meet are brought to one unit first.
template <int kRows, int kBits>
constexpr int kSums = kRows == 1 ? kPlaces<kBits> : kRows;

template <int kRows, int kBits>
HWY_INLINE void WeightStep(const std::uint8_t* w, const float* x, std::size_t ldx,
                           const Head<kBits>& head, F32 (&sums)[2][kSums<kRows, kBits>]) {
  const I32 words[2] = {LoadWords(w), LoadWords(w + kLanes * 4)};
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
    for (int place = 0; place < kPlaces<kBits>; ++place) {
      const float* const factor = x + half * kPlaces<kBits> + place;
#pragma GCC unroll 2
      for (int side = 0; side < 2; ++side) {
        const I32 there = half == 0 ? words[side] : hn::ShiftRight<16>(words[side]);
        F32 weight = hn::Sub(Placed<kBits>(there, place), head.zero[side][place]);
        if constexpr (kRows == 1) {
          sums[side][place] = MulAdd(Set(*factor), weight, sums[side][place]);
        } else {
          if (place != 0) weight = hn::Mul(weight, Set(1 / UnitOf<kBits>(place)));
#pragma GCC unroll 4
          for (std::size_t i = 0; i < kRows; ++i)
            sums[side][i] = MulAdd(Set(factor[i * ldx]), weight, sums[side][i]);
        }
      }
    }
  }
}

// The rows after the last whole word of a group: others, or none, lie behind them in x.
template <int kRows, int kBits>
HWY_INLINE void LastStep(const std::uint8_t* w, const float* x, std::size_t ldx, std::size_t left,
                         const Head<kBits>& head, F32 (&sums)[2][kSums<kRows, kBits>]) {
  constexpr std::size_t kSteps = 32 / kBits;
  float padded[kRows * kSteps] = {};
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t k = 0; k < left; ++k) padded[i * kSteps + k] = x[i * ldx + k];
  }
  WeightStep<kRows, kBits>(w, padded, kSteps, head, sums);
}

template <int kRows, int kBits>
void Product(const WeightPanel& panel, const float* x, std::size_t ldx, float* result) {
  constexpr std::size_t kSteps = 32 / kBits;
  F32 totals[2][kRows];
#pragma GCC unroll 4
  for (int i = 0; i < kRows; ++i) totals[0][i] = totals[1][i] = Zero();
  const std::uint8_t* at = panel.data;
  for (std::size_t k = 0; k < panel.k;) {
    const Head<kBits> head(at);
    at += kHeadBytes;
    F32 sums[2][kSums<kRows, kBits>];
#pragma GCC unroll 4
    for (int i = 0; i < kSums<kRows, kBits>; ++i) sums[0][i] = sums[1][i] = Zero();
    const std::size_t end = panel.k - k < panel.group ? panel.k : k + panel.group;
    for (; k + kSteps <= end; k += kSteps, at += kStepBytes)
      WeightStep<kRows, kBits>(at, x + k, ldx, head, sums);
    if (k < end) {
      LastStep<kRows, kBits>(at, x + k, ldx, end - k, head, sums);
      k = end;
      at += kStepBytes;
    }
#pragma GCC unroll 2
    for (int side = 0; side < 2; ++side) {
      if constexpr (kRows == 1) {
#pragma GCC unroll 4
        for (int place = 1; place < kPlaces<kBits>; ++place)
          sums[side][0] = MulAdd(sums[side][place], Set(1 / UnitOf<kBits>(place)), sums[side][0]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i)
        totals[side][i] = MulAdd(head.scale[side], sums[side][i], totals[side][i]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kRows; ++i) {
    Store(totals[0][i], result + i * kCols);
    Store(totals[1][i], result + i * kCols + kLanes);
  }
}

// The rows of one word that lie in [begin, end), the first of them being `first`.
template <int kBits>
HWY_INLINE void ExpandStep(const std::uint8_t* w, const Head<kBits>& head, std::size_t first,
                           std::size_t begin, std::size_t end, float* to) {
#pragma GCC unroll 2
  for (std::size_t side = 0; side < 2; ++side) {
    const I32 words = LoadWords(w + side * kLanes * 4);
    const I32 halves[2] = {words, hn::ShiftRight<16>(words)};
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 4
      for (int place = 0; place < kPlaces<kBits>; ++place) {
        const std::size_t k = first + static_cast<std::size_t>(half * kPlaces<kBits> + place);
        if (k < begin || k >= end) continue;
        const F32 steps = hn::Sub(Placed<kBits>(halves[half], place), head.zero[side][place]);
        const F32 weight = hn::Mul(hn::Mul(steps, Set(1 / UnitOf<kBits>(place))), head.scale[side]);
        Store(weight, to + (k - begin) * kCols + side * kLanes);
      }
    }
  }
}

template <int kBits>
void Expand(const WeightPanel& panel, std::size_t begin, std::size_t end, float* to) {
  constexpr std::size_t kSteps = 32 / kBits;
  const std::size_t group_bytes = kHeadBytes + (panel.group + kSteps - 1) / kSteps * kStepBytes;
  for (std::size_t group = begin / panel.group; group * panel.group < end; ++group) {
    const std::uint8_t* const data = panel.data + group * group_bytes;
    const Head<kBits> head(data);
    const std::size_t first = group * panel.group;
    const std::size_t from = begin > first ? begin - first : 0;
    const std::size_t stop = end - first < panel.group ? end - first : panel.group;
    for (std::size_t step = from / kSteps; step * kSteps < stop; ++step) {
      ExpandStep<kBits>(data + kHeadBytes + step * kStepBytes, head, first + step * kSteps, begin,
                        first + stop, to);
    }
  }
}

template <int kRows>
HWY_INLINE constexpr void FillProducts(WeightTable& table) {
  table.product[0][kRows] = Product<kRows, 8>;
  table.product[1][kRows] = Product<kRows, 4>;
  if constexpr (kRows > 1) FillProducts<kRows - 1>(table);
}

HWY_INLINE constexpr WeightTable AllWeights() {
  WeightTable table = {.cols = kCols, .expand = {Expand<8>, Expand<4>}};
  FillProducts<WeightTable::kMostRows>(table);
  return table;
}

}  // namespace

extern constexpr WeightTable kWeights = AllWeights();

}  // namespace athanor::kernels::ATH_ISA
