// Conversions of element types, row by row.
#include "kernels/elementwise/cast_table.h"
#include "kernels/simd.h"

namespace athanor::kernels::ATH_ISA {
namespace {

using namespace simd::ATH_ISA;  // NOLINT(google-build-using-namespace)

struct Bool {
  std::uint8_t value;
};

template <class T>
struct Range;
template <>
struct Range<std::int8_t> {
  static constexpr std::int32_t kLow = -128, kHigh = 127;
};
template <>
struct Range<std::uint8_t> {
  static constexpr std::int32_t kLow = 0, kHigh = 255;
};

// One number; `to` only tells the type.
template <class From>
float Convert(From x, float) {
  return static_cast<float>(x);
}
float Convert(Bool x, float) { return x.value; }

template <class From>
Bool Convert(From x, Bool) {
  return {static_cast<std::uint8_t>(x != From(0))};
}
Bool Convert(Bool x, Bool) { return x; }

template <class From, class To>
To Convert(From x, To) {
  return static_cast<To>(x);
}
template <class To>
To Convert(Bool x, To) {
  return static_cast<To>(x.value);
}

// Clamped as floats, so that the conversion itself is always defined; NaN becomes 0.
template <class To>
To SmallFromFloat(float x) {
  const float number = x == x ? x : 0.0F;
  const auto low = static_cast<float>(Range<To>::kLow), high = static_cast<float>(Range<To>::kHigh);
  const float above = number < low ? low : number;
  return static_cast<To>(static_cast<std::int32_t>(above > high ? high : above));
}
std::int8_t Convert(float x, std::int8_t) { return SmallFromFloat<std::int8_t>(x); }
std::uint8_t Convert(float x, std::uint8_t) { return SmallFromFloat<std::uint8_t>(x); }
std::int32_t Convert(float x, std::int32_t) {
  constexpr float kEnd = 2147483648.0F, kLargest = 2147483520.0F;  // 2^31 and the float below it
  const float number = x == x ? x : 0.0F;
  const float above = number < -kEnd ? -kEnd : number;
  const auto inside = static_cast<std::int32_t>(above > kLargest ? kLargest : above);
  return number >= kEnd ? 2147483647 : inside;
}
std::int64_t Convert(float x, std::int64_t) {
  constexpr float kEnd = 9223372036854775808.0F, kLargest = 9223371487098961920.0F;
  const float number = x == x ? x : 0.0F;
  const float above = number < -kEnd ? -kEnd : number;
  const auto inside = static_cast<std::int64_t>(above > kLargest ? kLargest : above);
  return number >= kEnd ? 9223372036854775807 : inside;
}

template <class From, class To>
void Row(const void* x, void* y, std::size_t n) {
  const From* from = static_cast<const From*>(x);
  To* to = static_cast<To*>(y);
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) to[i] = Convert(from[i], To());
}

// The bits of one f16 and back, rounded to nearest, ties to even. For tails, and for instruction
// sets without such conversions: Highway's own for those truncate and know no infinities.
float FromHalfBits(std::uint16_t half) {
  const std::uint32_t magnitude = (half & 0x7FFFU) << 13;  // as f32 it is 2^112 too small
  const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p112F;
  const std::uint32_t beyond = magnitude >= 0x0F800000U ? 0x7F800000U : 0;  // infinity, NaN
  return __builtin_bit_cast(
      float, __builtin_bit_cast(std::uint32_t, scaled) | beyond | (half & 0x8000U) << 16);
}
std::uint16_t ToHalfBits(float x) {
  const auto bits = __builtin_bit_cast(std::uint32_t, x);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  const std::uint32_t special = magnitude > 0x7F800000U ? 0x7E00U : 0x7C00U;
  // 0.5 has the spacing of f16 below 2^-14: the sum is rounded to it.
  const float shifted = __builtin_bit_cast(float, magnitude) + 0.5F;
  const std::uint32_t tiny = __builtin_bit_cast(std::uint32_t, shifted) - 0x3F000000U;
  // The exponent moved by 15 - 127; half a step less than one is added, one if the last bit is odd.
  const std::uint32_t normal = (magnitude + 0xC8000FFFU + (magnitude >> 13 & 1)) >> 13;
  const std::uint32_t finite = magnitude < 0x38800000U ? tiny : normal;
  return static_cast<std::uint16_t>((magnitude >= 0x47800000U ? special : finite) |
                                    (bits >> 16 & 0x8000U));
}

using HalfTag = hn::Rebind<hwy::float16_t, FloatTag>;
constexpr HalfTag kHalf;
constexpr bool kConvertsHalf = kLanes > 4;

void HalfToFloat(const void* x, void* y, std::size_t n) {
  const auto* from = static_cast<const std::uint16_t*>(x);
  auto* to = static_cast<float*>(y);
  std::size_t i = 0;
  if constexpr (kConvertsHalf) {
    const auto* halves = static_cast<const hwy::float16_t*>(x);
    for (; i + kLanes <= n; i += kLanes)
      Store(hn::PromoteTo(kF32, hn::LoadU(kHalf, halves + i)), to + i);
  }
  for (; i < n; ++i) to[i] = FromHalfBits(from[i]);
}

void FloatToHalf(const void* x, void* y, std::size_t n) {
  const auto* from = static_cast<const float*>(x);
  auto* to = static_cast<std::uint16_t*>(y);
  std::size_t i = 0;
  if constexpr (kConvertsHalf) {
    auto* halves = static_cast<hwy::float16_t*>(y);
    for (; i + kLanes <= n; i += kLanes)
      hn::StoreU(hn::DemoteTo(kHalf, Load(from + i)), kHalf, halves + i);
  }
  for (; i < n; ++i) to[i] = ToHalfBits(from[i]);
}

}  // namespace

extern const CastTable kCasts = {
    .cast =
        {
            {Row<float, float>, Row<float, std::int8_t>, Row<float, std::uint8_t>,
             Row<float, std::int32_t>, Row<float, std::int64_t>, Row<float, Bool>},
            {Row<std::int8_t, float>, Row<std::int8_t, std::int8_t>, Row<std::int8_t, std::uint8_t>,
             Row<std::int8_t, std::int32_t>, Row<std::int8_t, std::int64_t>,
             Row<std::int8_t, Bool>},
            {Row<std::uint8_t, float>, Row<std::uint8_t, std::int8_t>,
             Row<std::uint8_t, std::uint8_t>, Row<std::uint8_t, std::int32_t>,
             Row<std::uint8_t, std::int64_t>, Row<std::uint8_t, Bool>},
            {Row<std::int32_t, float>, Row<std::int32_t, std::int8_t>,
             Row<std::int32_t, std::uint8_t>, Row<std::int32_t, std::int32_t>,
             Row<std::int32_t, std::int64_t>, Row<std::int32_t, Bool>},
            {Row<std::int64_t, float>, Row<std::int64_t, std::int8_t>,
             Row<std::int64_t, std::uint8_t>, Row<std::int64_t, std::int32_t>,
             Row<std::int64_t, std::int64_t>, Row<std::int64_t, Bool>},
            {Row<Bool, float>, Row<Bool, std::int8_t>, Row<Bool, std::uint8_t>,
             Row<Bool, std::int32_t>, Row<Bool, std::int64_t>, Row<Bool, Bool>},
        },
    .half_to_float = HalfToFloat,
    .float_to_half = FloatToHalf,
    .float_to_double = Row<float, double>,
    .double_to_float = Row<double, float>};

}  // namespace athanor::kernels::ATH_ISA
