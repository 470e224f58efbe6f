// Marks of a text as bits, 64 bytes a word; and numbers of up to 15 bytes, a block of sixteen bytes
// each, so that a vector holds one, two or four of them.
#include "score/cells.h"

#include <hwy/highway.h>

#if defined(__AVX512DQ__) && defined(__AVX512CD__)
#include "score/cells_avx512.h"
#endif

namespace athanor::score::ATH_ISA {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Bytes = hn::ScalableTag<std::uint8_t>;
using Words = hn::ScalableTag<std::uint16_t>;
using Quads = hn::ScalableTag<std::uint32_t>;
using Longs = hn::ScalableTag<std::uint64_t>;
using Reals = hn::ScalableTag<double>;
constexpr Bytes kU8;
constexpr Words kU16;
constexpr Quads kU32;
constexpr Longs kU64;
constexpr Reals kF64;
constexpr std::size_t kVectorBytes = HWY_LANES(std::uint8_t);
constexpr std::size_t kVectorCells = kVectorBytes / kCellBytes;
constexpr std::size_t kRealLanes = HWY_LANES(double);
constexpr std::size_t kWord = 64;

template <class Mask>
HWY_INLINE std::uint64_t Bits(Mask mask) {
  std::uint64_t bits = 0;
  hn::StoreMaskBits(kU8, mask, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

// Which of 64 bytes are `c`.
HWY_INLINE std::uint64_t Equal(const std::uint8_t* text, char c) {
  const auto wanted = hn::Set(kU8, static_cast<std::uint8_t>(c));
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kWord; i += kVectorBytes)
    bits |= Bits(hn::Eq(hn::LoadU(kU8, text + i), wanted)) << i;
  return bits;
}

HWY_INLINE std::size_t Count(std::uint64_t bits) {
  return static_cast<std::size_t>(__builtin_popcountll(bits));
}
// 63 or 64 where there is none.
HWY_INLINE std::uint32_t First(std::uint64_t bits) {
#ifdef __BMI__
  return static_cast<std::uint32_t>(__builtin_ia32_tzcnt_u64(bits));
#else
  return static_cast<std::uint32_t>(__builtin_ctzll(bits | std::uint64_t{1} << 63));
#endif
}

// The positions of the bits to `to`; more are written than there are, so that no branch asks how
// many: most words of a table of numbers have up to eight.
HWY_INLINE void Spread(std::uint64_t bits, std::uint32_t base, std::uint32_t* to) {
  const std::size_t count = Count(bits);
  constexpr std::size_t kUsual = 8, kMore = 4;
  for (std::size_t i = 0; i < kUsual; ++i) {
    to[i] = base + First(bits);
    bits &= bits - 1;
  }
  for (std::size_t i = kUsual; i < count; i += kMore) {
    for (std::size_t k = 0; k < kMore; ++k) {
      to[i + k] = base + First(bits);
      bits &= bits - 1;
    }
  }
}

// Of the bytes in a word that `inside` has.
HWY_INLINE void MarkWord(const std::uint8_t* bytes, std::size_t at, std::uint64_t inside,
                         char separator, Marks& marks) {
  const auto base = static_cast<std::uint32_t>(at);
  std::uint64_t line = Equal(bytes + at, '\n') & inside;
  const std::uint64_t end = line | (Equal(bytes + at, separator) & inside);
  for (; line != 0; line &= line - 1) {
    const std::uint64_t before = line ^ (line - 1);
    marks.lines[marks.num_lines++] =
        static_cast<std::uint32_t>(marks.num_cells + Count(end & before) - 1);
  }
  for (std::uint64_t quote = Equal(bytes + at, '"') & inside; quote != 0; quote &= quote - 1)
    marks.quotes[marks.num_quotes++] = base + First(quote);
  Spread(end, base, marks.ends + 1 + marks.num_cells);
  marks.num_cells += Count(end);
}

void FindMarks(const char* text, std::size_t size, char separator, Marks& marks) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text);
  marks.num_cells = marks.num_lines = marks.num_quotes = 0;
  marks.ends[0] = ~std::uint32_t{0};
  std::size_t at = 0;
  for (; at + kWord <= size; at += kWord) MarkWord(bytes, at, ~std::uint64_t{0}, separator, marks);
  if (at < size) MarkWord(bytes, at, (std::uint64_t{1} << (size - at)) - 1, separator, marks);
}

bool FindStops(const std::uint32_t* ends, std::size_t count, std::uint16_t* stops) {
  const hn::ScalableTag<std::int32_t> i32;
  const hn::Rebind<std::uint16_t, decltype(i32)> u16;
  const auto* const signed_ends = reinterpret_cast<const std::int32_t*>(ends);
  const auto one = hn::Set(i32, 1);
  auto longest = hn::Zero(i32);
  for (std::size_t i = 0; i < count; i += hn::Lanes(i32)) {
    const auto begin = hn::Add(hn::LoadU(i32, signed_ends + i), one);
    const auto length = hn::Sub(hn::LoadU(i32, signed_ends + i + 1), begin);
    const auto is_short = hn::Lt(length, hn::Set(i32, static_cast<std::int32_t>(kCellBytes)));
    const auto stop = hn::Shl(one, hn::IfThenElseZero(is_short, length));
    hn::StoreU(hn::DemoteTo(u16, stop), u16, stops + i);
    longest = hn::Max(longest, length);
  }
  return hn::AllTrue(i32, hn::Lt(longest, hn::Set(i32, static_cast<std::int32_t>(kCellBytes))));
}

std::size_t CountLines(const char* text, std::size_t size) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text);
  std::size_t count = 0, at = 0;
  for (; at + kWord <= size; at += kWord) count += Count(Equal(bytes + at, '\n'));
  for (; at < size; ++at) count += bytes[at] == '\n' ? 1U : 0U;
  return count;
}

// 10^(16 - i). What has no stop gives NaN: an empty cell.
struct Scales {
  double of[kWord + 1];
};
constexpr Scales MakeScales() {
  Scales scales = {};
  double power = 10;
  for (std::size_t i = kCellBytes; i-- > 0; power *= 10) scales.of[i] = power;
  for (std::size_t i = kCellBytes; i <= kWord; ++i) scales.of[i] = __builtin_nan("");
  return scales;
}
constexpr Scales kScales = MakeScales();

// A bit field of sixteen bits per cell.
constexpr std::uint64_t kCellFields = kVectorCells == 4   ? 0xFFFFFFFFFFFFFFFF
                                      : kVectorCells == 2 ? 0xFFFFFFFF
                                                          : 0xFFFF;
constexpr std::uint64_t kLowest = 0x0001000100010001 & kCellFields;
constexpr std::uint64_t kHighest = 0x8000800080008000 & kCellFields;

// Not told to the compiler, which would make shifts and sums of the product.
const volatile std::uint16_t kTens = (10 << 8) + 1;

// Sixteen digits a cell, the first one the highest, as two numbers of eight.
// Each product has the sum of two neighbours in its upper half: (a + 256 b) * (10 * 256 + 1) is
// a + 256 (10 a + b), modulo 2^16. `tens` is that factor.
HWY_INLINE hn::Vec<Longs> Halves(hn::Vec<Bytes> digits, hn::Vec<Words> tens) {
  const auto one = hn::BitCast(kU16, digits);
  const auto two = hn::ShiftRight<8>(hn::Mul(one, tens));
  const auto pairs = hn::BitCast(kU32, two);
  const auto four = hn::ShiftRight<16>(hn::Mul(pairs, hn::Set(kU32, (100 << 16) + 1)));
  const auto high = hn::MulEven(four, hn::Set(kU32, 10000));
  return hn::Add(high, hn::ShiftRight<32>(hn::BitCast(kU64, four)));
}

// What the first half of read_numbers leaves for the second.
constexpr std::size_t kBatch = 256;
struct Scaled {
  // Of the digits, as if there were sixteen. Bit 63 of the first one is the sign; that of the other
  // is of a byte that may be none of the cell.
  alignas(64) std::uint64_t halves[2 * kBatch];
  alignas(64) double scales[kBatch];  // what to divide them by
};

// Which of the differences to '0' are digits.
HWY_INLINE auto BelowTen(hn::Vec<Bytes> value) {
  if constexpr (kVectorBytes == kWord) {
    return hn::Lt(value, hn::Set(kU8, 10));
  } else {
    return hn::Eq(hn::Min(value, hn::Set(kU8, 9)), value);  // only signed bytes compare
  }
}

HWY_INLINE auto MaskOf(std::uint64_t bits) {
  return hn::LoadMaskBits(kU8, reinterpret_cast<const std::uint8_t*>(&bits));
}

HWY_INLINE auto LoadCell(const char* text, std::uint32_t behind) {
  const hn::FixedTag<std::uint8_t, kCellBytes> cell;
  return hn::LoadU(cell, reinterpret_cast<const std::uint8_t*>(text) + (behind + 1U));
}

template <std::size_t kCells>
HWY_INLINE auto LoadCells(const char* text, const std::uint32_t* behind) {
  if constexpr (kCells == 1) {
    return LoadCell(text, behind[0]);
  } else {
    const hn::FixedTag<std::uint8_t, kCells * kCellBytes> together;
    return hn::Combine(together, LoadCells<kCells / 2>(text, behind + kCells / 2),
                       LoadCells<kCells / 2>(text, behind));
  }
}

// The digits of a vector's cells come to stand at the front, zeros behind them: the number is those
// sixteen digits over 10^(16 - p), where p is the position of the point or of the end. A minus
// counts as a digit 0. Which cells have another form: bits of their fields. Cells that stop at
// `nan_stop` are NaN.
HWY_INLINE std::uint64_t ReadVector(const CellTile& cells, const std::uint32_t* behind,
                                    std::size_t i, std::uint64_t nan_stop, hn::Vec<Words> tens,
                                    std::uint64_t* halves, double* scales) {
  const auto text = LoadCells<kVectorCells>(cells.text, behind);
  std::uint64_t end = 0;
  __builtin_memcpy(&end, cells.stops + i, kVectorCells * sizeof(std::uint16_t));
  const std::uint64_t inside = end - kLowest;
  const auto value = hn::Sub(text, hn::Set(kU8, '0'));
  const auto minus = hn::Eq(text, hn::Set(kU8, '-'));
  const std::uint64_t digits = Bits(BelowTen(value)) & inside;
  const std::uint64_t points = Bits(hn::Eq(text, hn::Set(kU8, '.'))) & inside;
  const std::uint64_t minuses = Bits(minus) & inside & kLowest;
  const std::uint64_t stops = points | end;
  const std::uint64_t to_stop = stops ^ (stops - kLowest);  // up to the first of them
  const std::uint64_t no_digit = (kHighest - digits) & kHighest;
  const std::uint64_t nan = end & nan_stop;
  const std::uint64_t wrong =
      (inside ^ (digits | points | minuses)) | (points & ~to_stop) | (no_digit ^ (nan << 15));
  const auto kept = hn::IfThenElseZero(MaskOf(digits), value);
  const auto closed =
      hn::IfThenElse(MaskOf((to_stop >> 1) & ~kHighest), kept, hn::ShiftRightBytes<1>(kU8, kept));
  const auto sign = hn::ShiftLeft<63>(hn::BitCast(kU64, hn::VecFromMask(kU8, minus)));
  hn::Store(hn::Or(Halves(closed, tens), sign), kU64, halves);
  const std::uint64_t scale = stops ^ nan;
  for (std::size_t c = 0; c < kVectorCells; ++c) scales[c] = kScales.of[First(scale >> (16 * c))];
  return wrong;
}

// Of integers below 2^52.
HWY_INLINE hn::Vec<Reals> ToReal(hn::Vec<Longs> value) {
  const auto shift = hn::Set(kF64, 0x1p52);
  return hn::Sub(hn::BitCast(kF64, hn::Or(value, hn::BitCast(kU64, shift))), shift);
}

void AddUnread(std::uint64_t wrong, std::size_t first, std::size_t count, CellNumbers& numbers) {
  for (std::size_t c = 0; c < kVectorCells; ++c) {
    if (((wrong >> (16 * c)) & 0xFFFF) != 0 && first + c < count)
      numbers.unread[numbers.num_unread++] = static_cast<std::uint16_t>(first + c);
  }
}

// At most 15 digits: both the sixteen digits and the power are doubles without an error, and their
// quotient is rounded once (Clinger, "How to Read Floating Point Numbers Accurately", 1990). The
// sum is exact too: it has no more digits than its text.
void ReadNumbers(const CellTile& cells, CellNumbers& numbers) {
  Scaled scaled;
  const hn::Rebind<float, Reals> f32;
  const std::uint64_t nan_stop = cells.empty_is_nan ? kLowest : 0;
  const auto tens = hn::Set(kU16, kTens);
  numbers.num_unread = 0;
  for (std::size_t begin = 0; begin < cells.count; begin += kBatch) {
    const std::size_t left = cells.count - begin, count = left < kBatch ? left : kBatch;
    for (std::size_t i = 0; i < count; i += kVectorCells) {
      const std::uint32_t* behind = cells.behind + begin + i;
      std::uint32_t last[kVectorCells];
      if (count - i < kVectorCells) {  // the last cell again: there may be no other to read
        for (std::size_t c = 0; c < kVectorCells; ++c) last[c] = behind[c < count - i ? c : 0];
        behind = last;
      }
      const std::uint64_t wrong = ReadVector(cells, behind, begin + i, nan_stop, tens,
                                             scaled.halves + 2 * i, scaled.scales + i);
      if (wrong != 0) AddUnread(wrong, begin + i, cells.count, numbers);
    }
    for (std::size_t i = 0; i < count; i += kRealLanes) {
      hn::Vec<Longs> high, low;
      hn::LoadInterleaved2(kU64, scaled.halves + 2 * i, high, low);
      const auto top = hn::Set(kU64, std::uint64_t{1} << 63);
      const auto sign = hn::And(high, top);
      const auto digits = hn::MulAdd(ToReal(hn::AndNot(top, high)), hn::Set(kF64, 1e8),
                                     ToReal(hn::AndNot(top, low)));
      const auto size = hn::Div(digits, hn::LoadU(kF64, scaled.scales + i));
      const auto value = hn::Or(size, hn::BitCast(kF64, sign));
      if (numbers.f32 != nullptr) {
        hn::StoreU(hn::DemoteTo(f32, value), f32, numbers.f32 + begin + i);
      } else {
        hn::StoreU(value, kF64, numbers.f64 + begin + i);
      }
    }
  }
}

}  // namespace

CellReader Reader() {
  CellReader reader = {.find_marks = FindMarks,
                       .find_stops = FindStops,
                       .read_numbers = ReadNumbers,
                       .count_lines = CountLines};
#if defined(__AVX512DQ__) && defined(__AVX512CD__)
  reader.read_numbers = ReadEightByEight;
#endif
  return reader;
}

}  // namespace athanor::score::ATH_ISA
