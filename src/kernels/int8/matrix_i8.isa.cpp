// Products of 8-bit matrices: a tile of 32-bit sums in registers, four products per lane and step.
//
// The tile is two vectors wide. With VNNI one instruction does a step of one vector; without it the
// bytes are widened to 16 bits: those of the data once per step and vector, those of the weights
// when they are packed.
#include "kernels/int8/finish_i8.h"

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

// TFLite's rounding in dense layers, halves upwards, with the sum wrapping around as sums do.
HWY_INLINE std::uint8_t FinishOnce(std::int32_t sum, const Requant& how, std::size_t channel) {
  sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                  static_cast<std::uint32_t>(how.offset[channel]));
  const std::int32_t right = 31 - how.shift[channel];
  const std::int64_t half = std::int64_t{1} << (right - 1);
  const std::int64_t product = static_cast<std::int64_t>(sum) * how.mantissa[channel];
  const std::int64_t q = static_cast<std::int32_t>((product + half) >> right);
  const std::int64_t y = q + how.zero;
  return static_cast<std::uint8_t>(y < how.low ? how.low : y > how.high ? how.high : y);
}

// n bytes; one(i): the integers of the vector of sums that begins at i.
template <class To = ToBytes, class F>
HWY_INLINE void FinishVectors(std::size_t n, const Requant& how, std::uint8_t* y, F one) {
  const To to_bytes(how);
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
    StoreInts(y + i, to_bytes(one(i), one(i + kLanes), one(i + 2 * kLanes), one(i + 3 * kLanes)));
  if (i == n) return;
  const std::size_t last = i + (n - i - 1) / kLanes * kLanes;
  const auto at = [&](std::size_t j) { return one(i + j * kLanes < last ? i + j * kLanes : last); };
  alignas(64) std::uint8_t rest[4 * kLanes];
  StoreInts(rest, to_bytes(at(0), at(1), at(2), at(3)));
  for (std::size_t j = 0; i + j < n; ++j) y[i + j] = rest[j];
}

// Sums may be read a vector too far: tiles are as wide as the registers.
void FinishRow(const std::int32_t* sums, std::size_t n, const Requant& how, std::size_t channel,
               std::uint8_t* y) {
  if (how.mantissa != nullptr && how.once) {
    for (std::size_t i = 0; i < n; ++i) y[i] = FinishOnce(sums[i], how, channel);
    return;
  }
  const Ints offset = SetInts(how.offset[channel]);
  if (how.mantissa != nullptr) {
    const FixedFactor factor(SetInts(how.mantissa[channel]), SetInts(how.shift[channel]));
    return FinishVectors(
        n, how, y, [&](std::size_t i) { return factor(AddInts(LoadInts(sums + i), offset)); });
  }
  const Floats factor = SetFloats(how.factor[channel]);
  if (how.curve != nullptr) {
    const CurveFinish finish(how, offset, factor);
    return FinishVectors<ToCurve>(n, how, y,
                                  [&](std::size_t i) { return finish(LoadInts(sums + i)); });
  }
  FinishVectors(n, how, y, [&](std::size_t i) {
    return ToWords(MulFloats(ToFloats(AddInts(LoadInts(sums + i), offset)), factor));
  });
}

// Offsets and factors are padded to whole tiles.
void FinishColumns(const std::int32_t* sums, std::size_t n, const Requant& how, std::size_t channel,
                   std::uint8_t* y) {
  if (how.curve != nullptr) {
    return FinishVectors<ToCurve>(n, how, y, [&](std::size_t i) {
      return CurveFinish(how, channel + i)(LoadInts(sums + i));
    });
  }
  if (how.mantissa == nullptr) {
    return FinishVectors(n, how, y, [&](std::size_t i) {
      return FloatFinish(how, channel + i)(LoadInts(sums + i));
    });
  }
  for (std::size_t i = 0; i < n; ++i) y[i] = FinishOnce(sums[i], how, channel + i);
}

template <int kRows>
HWY_INLINE constexpr void Fill(MatrixTable& table) {
  table.conv[kRows] = Conv<kRows>;
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
