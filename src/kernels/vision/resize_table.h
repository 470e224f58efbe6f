// Rows of a resized tensor. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

struct ResizeTable {
  // y[i] = sum over t of weights[t] * rows[t][i]
  void (*blend)(const float* const* rows, const float* weights, std::size_t taps, float* y,
                std::size_t n) = nullptr;
  // y[i] = sum over t of weights[t * n + i] * x[index[t * n + i]]
  void (*pick)(const float* x, const std::int32_t* index, const float* weights, std::size_t taps,
               float* y, std::size_t n) = nullptr;
};

namespace base {
extern const ResizeTable kResize;
}
namespace avx2 {
extern const ResizeTable kResize;
}
namespace avx512 {
extern const ResizeTable kResize;
}

}  // namespace athanor::kernels
