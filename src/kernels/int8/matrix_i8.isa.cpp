// Products of 8-bit matrices: a tile of 32-bit sums in registers, four products per lane and step.
//
// The tile is two vectors wide. With VNNI one instruction does a step of one vector; without it the
// bytes are widened to 16 bits: those of the data once per step and vector, those of the weights
// when they are packed.
#include "kernels/int8/table.h"
#include "kernels/int8/vector_i8.h"

namespace athanor::kernels::int8::ATH_ISA {
namespace {

constexpr std::size_t kCols = 2 * kLanes;
constexpr int kTallest = kDotProducts ? 14 : kLanes == 16 ? 12 : 4;

template <int kRows>
HWY_INLINE void Put(const Ints (&left)[kRows], const Ints (&right)[kRows], std::int32_t* c) {
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i, c += kCols) {
    StoreInts(c, left[i]);
    StoreInts(c + kLanes, right[i]);
  }
}

template <int kRows>
void Conv(std::size_t steps, const std::uint8_t* a, const std::uint8_t* b,
          const std::uint32_t* offsets, std::int32_t* c) {
  Ints left[kRows], right[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) left[i] = right[i] = ZeroInts();
  for (std::size_t step = 0; step < steps; ++step) {
    const std::uint8_t* const from = b + std::size_t{4} * offsets[step];
    const Ints b0 = LoadInts(from), b1 = LoadInts(from + 4 * kLanes);
    if constexpr (kDotProducts) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const Ints w = SetInts(Four(a + 4 * i));
        left[i] = Dot(left[i], b0, w);
        right[i] = Dot(right[i], b1, w);
      }
      a += 4 * kRows;
    } else {
      const Ints even0 = EvenBytes(b0), odd0 = OddBytes(b0);
      const Ints even1 = EvenBytes(b1), odd1 = OddBytes(b1);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const Ints even = SetInts(Four(a + 8 * i)), odd = SetInts(Four(a + 8 * i + 4));
        left[i] = AddInts(left[i], AddInts(MulAddPairs(even0, even), MulAddPairs(odd0, odd)));
        right[i] = AddInts(right[i], AddInts(MulAddPairs(even1, even), MulAddPairs(odd1, odd)));
      }
      a += 8 * kRows;
    }
  }
  Put(left, right, c);
}

template <int kRows>
void Gemm(std::size_t steps, const std::uint8_t* x, std::size_t stride, const std::uint8_t* w,
          std::int32_t* c) {
  Ints left[kRows], right[kRows];
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) left[i] = right[i] = ZeroInts();
  for (std::size_t step = 0; step < steps; ++step, x += 4, w += 8 * kLanes) {
    const Ints w0 = LoadInts(w), w1 = LoadInts(w + 4 * kLanes);
    if constexpr (kDotProducts) {
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const Ints data = SetInts(Four(x + static_cast<std::size_t>(i) * stride));
        left[i] = Dot(left[i], data, w0);
        right[i] = Dot(right[i], data, w1);
      }
    } else {
      const Ints even0 = SignedEvenBytes(w0), odd0 = SignedOddBytes(w0);
      const Ints even1 = SignedEvenBytes(w1), odd1 = SignedOddBytes(w1);
#pragma GCC unroll 16
      for (int i = 0; i < kRows; ++i) {
        const Ints data = SetInts(Four(x + static_cast<std::size_t>(i) * stride));
        const Ints even = EvenBytes(data), odd = OddBytes(data);
        left[i] = AddInts(left[i], AddInts(MulAddPairs(even, even0), MulAddPairs(odd, odd0)));
        right[i] = AddInts(right[i], AddInts(MulAddPairs(even, even1), MulAddPairs(odd, odd1)));
      }
    }
  }
  Put(left, right, c);
}

// TFLite's rounding in convolutions: to the high half of a doubled product,
// then of the shift.
HWY_INLINE std::int32_t MultiplyTwice(std::int32_t sum, std::int32_t mantissa, std::int32_t shift) {
  const std::int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  const auto shifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) << left);
  const std::int64_t product = static_cast<std::int64_t>(shifted) * mantissa;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  const auto high = static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << right) - 1);
  const std::int32_t rest = high & mask;
  return (high >> right) + (rest > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0);
}

// In dense layers: halves upwards.
HWY_INLINE std::int32_t MultiplyOnce(std::int32_t sum, std::int32_t mantissa, std::int32_t shift) {
  const std::int32_t right = 31 - shift;
  const std::int64_t half = std::int64_t{1} << (right - 1);
  return static_cast<std::int32_t>((static_cast<std::int64_t>(sum) * mantissa + half) >> right);
}

HWY_INLINE std::uint8_t FinishFixed(std::int32_t sum, const Requant& how, std::size_t channel) {
  // Wraps around as the sums do.
  sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                  static_cast<std::uint32_t>(how.offset[channel]));
  const std::int32_t mantissa = how.mantissa[channel], shift = how.shift[channel];
  std::int32_t q =
      how.once ? MultiplyOnce(sum, mantissa, shift) : MultiplyTwice(sum, mantissa, shift);
  q = static_cast<std::int32_t>(static_cast<std::uint32_t>(q) +
                                static_cast<std::uint32_t>(how.zero));
  q = q < how.low ? how.low : q > how.high ? how.high : q;
  return static_cast<std::uint8_t>(q);
}

HWY_INLINE void Finish1(Ints sums, Ints offset, Floats factor, const Requant& how, std::size_t n,
                        std::uint8_t* y) {
  const Floats low = SetFloats(static_cast<float>(how.low - how.zero));
  const Floats high = SetFloats(static_cast<float>(how.high - how.zero));
  const Floats real = MulFloats(ToFloats(AddInts(sums, offset)), factor);
  const Ints q = AddInts(Round(ClampFloats(real, low, high)), SetInts(how.zero));
  if (n >= kLanes) {
    StoreLowBytes(y, q);
  } else {
    StoreLowBytes(y, q, n);
  }
}

// Sums may be read a vector too far: tiles are as wide as the registers.
void FinishRow(const std::int32_t* sums, std::size_t n, const Requant& how, std::size_t channel,
               std::uint8_t* y) {
  if (how.mantissa != nullptr) {
    for (std::size_t i = 0; i < n; ++i) y[i] = FinishFixed(sums[i], how, channel);
    return;
  }
  const Ints offset = SetInts(how.offset[channel]);
  const Floats factor = SetFloats(how.factor[channel]);
  for (std::size_t i = 0; i < n; i += kLanes)
    Finish1(LoadInts(sums + i), offset, factor, how, n - i, y + i);
}

// Offsets and factors are padded to whole tiles.
void FinishColumns(const std::int32_t* sums, std::size_t n, const Requant& how, std::size_t channel,
                   std::uint8_t* y) {
  if (how.mantissa != nullptr) {
    for (std::size_t i = 0; i < n; ++i) y[i] = FinishFixed(sums[i], how, channel + i);
    return;
  }
  for (std::size_t i = 0; i < n; i += kLanes) {
    Finish1(LoadInts(sums + i), LoadInts(how.offset + channel + i),
            LoadFloats(how.factor + channel + i), how, n - i, y + i);
  }
}

template <int kRows>
HWY_INLINE constexpr void Fill(MatrixTable& table) {
  table.conv[kRows] = Conv<kRows>;
  table.gemm[kRows] = Gemm<kRows>;
  if constexpr (kRows > 1) Fill<kRows - 1>(table);
}

HWY_INLINE constexpr MatrixTable Table() {
  MatrixTable table;
  table.rows = kTallest;
  table.cols = kCols;
  table.weight_bytes = kDotProducts ? 4 : 8;
  table.finish_row = FinishRow;
  table.finish_columns = FinishColumns;
  Fill<kTallest>(table);
  return table;
}

}  // namespace

extern constexpr MatrixTable kMatrices = Table();

}  // namespace athanor::kernels::int8::ATH_ISA
