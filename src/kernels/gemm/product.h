// A matrix product on packed factors without anything behind it.
#pragma once

#include "kernels/divide.h"
#include "kernels/gemm/gemm.h"

namespace athanor::kernels {

inline const EpilogueProgram kNoEpilogue = {};

// c[m, n] = a b, plus one number per column when there are any. `panels`: which part of the
// columns.
inline void MultiplyPlain(const GemmShape& shape, const float* packed_a, const float* packed_b,
                          float* c, std::int64_t ldc, const float* col_bias = nullptr) {
  Multiply(shape, packed_a, packed_b, 0, shape.tiles, 0, shape.panels, c, ldc,
           {.epilogue = &kNoEpilogue, .col_bias = col_bias});
}

// Floats of packed factors, rounded up so that what follows them is aligned.
inline std::int64_t PackedAFloats(const GemmShape& shape) {
  return WholeLines(shape.PackedAFloats());
}
inline std::int64_t PackedBFloats(const GemmShape& shape) {
  return WholeLines(shape.PackedBFloats());
}

}  // namespace athanor::kernels
