// Element types: their names, sizes, C++ types, and how to pick code for one at run time.
//
// Types below 8 bits (i4, u4, i2, u2, f4e2m1) take one byte per element in memory, so that every
// operator that only moves data works on them unchanged; they are packed in files only.
#pragma once

#include <complex>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/small_types.h"
#include "core/status.h"

namespace athanor {

enum class DType : std::uint8_t {
  kUndefined = 0,
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kF8E4M3Fnuz,
  kF8E5M2,
  kF8E5M2Fnuz,
  kF8E8M0,
  kF4E2M1,
  kI64,
  kI32,
  kI16,
  kI8,
  kI4,
  kI2,
  kU64,
  kU32,
  kU16,
  kU8,
  kU4,
  kU2,
  kBool,
  kString,
  kC64,
  kC128,
};

// "f32", "bf16", "f8e4m3fnuz", "i64", "bool", "string", ...
std::string_view Name(DType dtype);
std::optional<DType> DTypeFromName(std::string_view name);

// Bytes of one element in memory. For strings: the size of std::string.
std::size_t ElementBytes(DType dtype);
// Bits of one element as files pack it (4 for i4).
int ElementBits(DType dtype);

bool IsFloat(DType dtype);    // any floating-point type, not complex
bool IsInteger(DType dtype);  // signed or unsigned, not bool
bool IsSigned(DType dtype);   // signed integer
bool IsComplex(DType dtype);
inline bool IsNumeric(DType dtype) { return IsFloat(dtype) || IsInteger(dtype); }

// The C++ type that holds one element, and back.
template <class T>
struct DTypeOf;
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kF64;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<Half> {
  static constexpr DType value = DType::kF16;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct DTypeOf<F8E4M3> {
  static constexpr DType value = DType::kF8E4M3;
};
template <>
struct DTypeOf<F8E4M3Fnuz> {
  static constexpr DType value = DType::kF8E4M3Fnuz;
};
template <>
struct DTypeOf<F8E5M2> {
  static constexpr DType value = DType::kF8E5M2;
};
template <>
struct DTypeOf<F8E5M2Fnuz> {
  static constexpr DType value = DType::kF8E5M2Fnuz;
};
template <>
struct DTypeOf<F8E8M0> {
  static constexpr DType value = DType::kF8E8M0;
};
template <>
struct DTypeOf<F4E2M1> {
  static constexpr DType value = DType::kF4E2M1;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::kI64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<std::int16_t> {
  static constexpr DType value = DType::kI16;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::kI8;
};
template <>
struct DTypeOf<Int4> {
  static constexpr DType value = DType::kI4;
};
template <>
struct DTypeOf<Int2> {
  static constexpr DType value = DType::kI2;
};
template <>
struct DTypeOf<std::uint64_t> {
  static constexpr DType value = DType::kU64;
};
template <>
struct DTypeOf<std::uint32_t> {
  static constexpr DType value = DType::kU32;
};
template <>
struct DTypeOf<std::uint16_t> {
  static constexpr DType value = DType::kU16;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::kU8;
};
template <>
struct DTypeOf<UInt4> {
  static constexpr DType value = DType::kU4;
};
template <>
struct DTypeOf<UInt2> {
  static constexpr DType value = DType::kU2;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};
template <>
struct DTypeOf<std::string> {
  static constexpr DType value = DType::kString;
};
template <>
struct DTypeOf<std::complex<float>> {
  static constexpr DType value = DType::kC64;
};
template <>
struct DTypeOf<std::complex<double>> {
  static constexpr DType value = DType::kC128;
};
template <class T>
inline constexpr DType kDTypeOf = DTypeOf<std::remove_cv_t<T>>::value;

// A list of C++ element types to instantiate code for.
template <class... Ts>
struct TypeList {};
template <class T>
struct TypeTag {
  using Type = T;
};

using FloatTypes = TypeList<float, double, Half, BFloat16>;
using SmallFloatTypes = TypeList<F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F4E2M1>;
using IntegerTypes = TypeList<std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t,
                              std::uint32_t, std::uint16_t, std::uint8_t>;
using SmallIntegerTypes = TypeList<Int4, UInt4, Int2, UInt2>;
using NumericTypes =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
             std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>;

// Whether the list has the type of `dtype`.
template <class... Ts>
constexpr bool IsOneOf(TypeList<Ts...>, DType dtype) {
  return ((kDTypeOf<Ts> == dtype) || ...);
}

// Calls f(TypeTag<T>{}) for the T in the list that holds `dtype`. f returns Status.
// An element type outside the list gives kUnsupportedType.
template <class F, class... Ts>
Status Dispatch(TypeList<Ts...>, DType dtype, F&& f) {
  Status status =
      Error(ErrorCode::kUnsupportedType, "element type {} is not accepted here", Name(dtype));
  (void)((kDTypeOf<Ts> == dtype ? (status = f(TypeTag<Ts>{}), true) : false) || ...);
  return status;
}

}  // namespace athanor
