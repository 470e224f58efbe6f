// Functions of one row of floats. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct RowTable {
  // y = exp(x - max x) / sum; x and y may be the same.
  void (*softmax)(const float* x, float* y, std::size_t n) = nullptr;
  // The same of each of `rows` short rows that follow each other: 2, 3 or 4 elements each.
  void (*softmax_short)(const float* x, float* y, std::size_t rows, std::size_t n) = nullptr;
  // y = x - max x - log sum exp(x - max x); x and y may be the same.
  void (*log_softmax)(const float* x, float* y, std::size_t n) = nullptr;
  // Column by column: y = exp(x - largest) * factor, or y = x - largest - factor. May be in place.
  void (*soften)(const float* x, const float* largest, const float* factor, float* y,
                 std::size_t n) = nullptr;
  void (*log_soften)(const float* x, const float* largest, const float* factor, float* y,
                     std::size_t n) = nullptr;
  // y = x * factor + offset; factor and offset are one element (step 0) or one each (step 1).
  void (*affine)(const float* x, const float* factor, const float* offset, std::size_t step,
                 float* y, std::size_t n) = nullptr;
  // The same column of neighbouring channels: y = x[at] / (bias + alpha sum_k x[k]^2)^beta over
  // `count` rows from x on that lie `stride` apart; `at` is a row too.
  void (*local_response)(const float* x, std::size_t stride, std::size_t count, std::size_t at,
                         float alpha, float beta, float bias, float* y, std::size_t n) = nullptr;
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
