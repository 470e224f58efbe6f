// Functions of the rows of scores of an attention. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct AttentionTable {
  // row[i] = exp(row[i] - shift); gives their sum. -infinity becomes 0.
  float (*exponentials)(float* row, float shift, std::size_t n) = nullptr;
  float (*largest)(const float* row, std::size_t n) = nullptr;
  // y[i] = y[i] * factor + x[i]
  void (*scale_add)(const float* x, float factor, float* y, std::size_t n) = nullptr;
  // y[i] += factor * x[i]
  void (*add_scaled)(const float* x, float factor, float* y, std::size_t n) = nullptr;
  float (*dot)(const float* a, const float* b, std::size_t n) = nullptr;
  // y[i] = x[i] * factor
  void (*scale)(const float* x, float factor, float* y, std::size_t n) = nullptr;
  // Pairs (a, b) turned: (cos a - sin b, sin a + cos b).
  void (*rotate)(const float* a, const float* b, const float* cosine, const float* sine, float* y,
                 float* z, std::size_t n) = nullptr;
};

namespace base {
extern const AttentionTable kAttention;
}
namespace avx2 {
extern const AttentionTable kAttention;
}
namespace avx512 {
extern const AttentionTable kAttention;
}

}  // namespace athanor::kernels
