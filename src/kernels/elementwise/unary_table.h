// The unary functions of one instruction set. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// y[i] = f(x[i]), with up to two parameters. x and y may be the same.
using UnaryF32 = void (*)(const float* x, float* y, std::size_t n, const float* params);

struct UnaryTable {
  UnaryF32 abs, acos, acosh, asin, asinh, atan, atanh, ceil, celu, clip, cos, cosh, elu, erf, exp,
      floor, gelu, gelu_tanh, hard_sigmoid, hard_swish, leaky_relu, log, mish, neg, reciprocal,
      relu, round, selu, shrink, sigmoid, sign, silu, sin, sinh, softplus, softsign, sqrt, tan,
      tanh, thresholded_relu;
};

namespace base {
extern const UnaryTable kUnary;
}
namespace avx2 {
extern const UnaryTable kUnary;
}
namespace avx512 {
extern const UnaryTable kUnary;
}

}  // namespace athanor::kernels
