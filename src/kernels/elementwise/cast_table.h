// Conversions of one row of elements between types. Included by .isa.cpp files: no standard
// library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

using CastFn = void (*)(const void* x, void* y, std::size_t n);

// The types in the order of the table: f32, i8, u8, i32, i64, bool.
inline constexpr std::size_t kCastTypes = 6;

struct CastTable {
  // [from][to]. To integers: truncates and saturates from floats, keeps the low bits of integers.
  CastFn cast[kCastTypes][kCastTypes] = {};
  CastFn half_to_float = nullptr, float_to_half = nullptr;
  CastFn float_to_double = nullptr, double_to_float = nullptr;
};

namespace base {
extern const CastTable kCasts;
}
namespace avx2 {
extern const CastTable kCasts;
}
namespace avx512 {
extern const CastTable kCasts;
}

}  // namespace athanor::kernels
