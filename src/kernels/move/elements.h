// Elements as what they are to data movement: 1, 2, 4, 8 or 16 bytes.
#pragma once

#include <algorithm>
#include <complex>
#include <cstring>

#include "kernels/kernel.h"

namespace athanor::kernels {

// Calls f with a value of the unsigned type (or pair) of so many bytes.
template <class F>
void WithElement(std::int64_t bytes, const F& f) {
  if (bytes == 1) f(std::uint8_t());
  if (bytes == 2) f(std::uint16_t());
  if (bytes == 4) f(std::uint32_t());
  if (bytes == 8) f(std::uint64_t());
  if (bytes == 16) f(std::complex<double>());
}

template <class T>
void CopyRow(const T* from, std::int64_t from_step, T* to, std::int64_t to_step, std::int64_t n) {
  if (from_step == 1 && to_step == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  } else if (from_step == 0 && to_step == 1) {
    std::fill(to, to + n, *from);
  } else if (from_step == 2 && to_step == 1) {
    for (std::int64_t i = 0; i < n; ++i) to[i] = from[2 * i];
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
  }
}

// to[r * to_stride + i] = from[r + i * from_stride] for r < rows, i < n: small squares at a time,
// so that every line of the cache that is touched is used up.
template <class T>
void TransposeBlock(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
                    std::int64_t rows, std::int64_t n) {
  constexpr std::int64_t kSide = 8;
  for (std::int64_t i = 0; i < n; i += kSide) {
    const std::int64_t columns = std::min(kSide, n - i);
    for (std::int64_t r = 0; r < rows; r += kSide) {
      const T* x = from + r + i * from_stride;
      T* y = to + r * to_stride + i;
      if (columns == kSide && rows - r >= kSide) {
        T square[kSide][kSide];
        for (std::int64_t a = 0; a < kSide; ++a)
          std::memcpy(square[a], x + a * from_stride, sizeof(square[a]));
        for (std::int64_t b = 0; b < kSide; ++b) {
          for (std::int64_t a = 0; a < kSide; ++a) y[b * to_stride + a] = square[a][b];
        }
        continue;
      }
      for (std::int64_t b = 0; b < std::min(kSide, rows - r); ++b) {
        for (std::int64_t a = 0; a < columns; ++a) y[b * to_stride + a] = x[b + a * from_stride];
      }
    }
  }
}

// Every one of `count` elements becomes *value, or 0 when there is none.
inline void FillElements(const KernelArgs& args, const void* value, std::byte* to,
                         std::int64_t count, std::int64_t element) {
  WithElement(element, [&](auto zero) {
    using T = decltype(zero);
    T filling = T();
    if (value != nullptr) std::memcpy(&filling, value, sizeof(T));
    Parallel(args, count, std::int64_t{1} << 16, [&](std::int64_t begin, std::int64_t end, int) {
      T* data = reinterpret_cast<T*>(to);
      std::fill(data + begin, data + end, filling);
    });
  });
}

}  // namespace athanor::kernels
