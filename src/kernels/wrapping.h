// Sums and products of integers that wrap around: they are computed without a sign. And the larger
// and smaller of two, to be passed like them. Everything is static, so that .isa.cpp files, which
// include it too, share no symbol with others.
#pragma once

#include <cstdint>

namespace athanor::kernels {

static constexpr std::uint32_t Bits(std::int8_t x) { return static_cast<std::uint32_t>(x); }
static constexpr std::uint32_t Bits(std::uint8_t x) { return x; }
static constexpr std::uint32_t Bits(std::int32_t x) { return static_cast<std::uint32_t>(x); }
static constexpr std::uint64_t Bits(std::int64_t x) { return static_cast<std::uint64_t>(x); }
static constexpr float Bits(float x) { return x; }
static constexpr double Bits(double x) { return x; }

template <class T>
static constexpr T WrapAdd(T a, T b) {
  return static_cast<T>(Bits(a) + Bits(b));
}
template <class T>
static constexpr T WrapSub(T a, T b) {
  return static_cast<T>(Bits(a) - Bits(b));
}
template <class T>
static constexpr T WrapMul(T a, T b) {
  return static_cast<T>(Bits(a) * Bits(b));
}
template <class T>
static constexpr T Larger(T a, T b) {
  return a < b ? b : a;
}
template <class T>
static constexpr T Smaller(T a, T b) {
  return b < a ? b : a;
}

}  // namespace athanor::kernels
