// Arithmetic on sizes that come from files: says when the result does not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace athanor {

template <class T>
std::optional<T> CheckedMul(T a, T b) {
  T result;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

template <class T>
std::optional<T> CheckedAdd(T a, T b) {
  T result;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// The number of elements of a shape; nothing when a dimension is negative or the product overflows.
inline std::optional<std::int64_t> CheckedCount(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) empty = true;
    if (dim > 0 && __builtin_mul_overflow(count, dim, &count)) return std::nullopt;
  }
  return empty ? 0 : count;
}

}  // namespace athanor
