// The Fourier transform of real numbers in fixed point, as KISS FFT computes it on 16 and 32 bits:
// every stage is divided by its radix, so that nothing overflows, and every product is rounded.
#pragma once

#include <cstdint>
#include <span>

namespace athanor::ops {

// A power of two from 4 on.
bool IsFixedFourierLength(std::int64_t length);

// `y`: real and imaginary parts in turn of frequencies 0 to x.size() / 2, divided by x.size().
template <class Raw>  // std::int16_t or std::int32_t
void FixedRealFourier(std::span<const Raw> x, std::span<Raw> y);

// Back from such a spectrum, divided by y.size() as well.
template <class Raw>
void FixedRealFourierInverse(std::span<const Raw> x, std::span<Raw> y);

}  // namespace athanor::ops
