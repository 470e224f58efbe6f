// Functions of one row of floats. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct RowTable {
  // y = exp(x - max x) / sum; x and y may be the same.
  void (*softmax)(const float* x, float* y, std::size_t n) = nullptr;
  // y = (x - mean) / sqrt(variance + epsilon) * scale + bias; bias may be nullptr. Without
  // `centered` the mean counts as 0.
  void (*normalize)(const float* x, const float* scale, const float* bias, float* y, std::size_t n,
                    float epsilon, bool centered) = nullptr;
};

namespace base {
extern const RowTable kRows;
}
namespace avx2 {
extern const RowTable kRows;
}
namespace avx512 {
extern const RowTable kRows;
}

}  // namespace athanor::kernels
