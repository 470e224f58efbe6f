// The binary functions of one instruction set. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// y[i] = f(a[i], b[i]); a step of 0 repeats the one element. y may be a or b.
using BinaryF32 = void (*)(const float* a, std::size_t a_step, const float* b, std::size_t b_step,
                           float* y, std::size_t n);

struct BinaryTable {
  BinaryF32 add, div, max, min, mul, prelu, sub;
};

namespace base {
extern const BinaryTable kBinary;
}
namespace avx2 {
extern const BinaryTable kBinary;
}
namespace avx512 {
extern const BinaryTable kBinary;
}

}  // namespace athanor::kernels
