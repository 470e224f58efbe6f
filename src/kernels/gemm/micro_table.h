// The matrix micro-kernels of one instruction set. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// What happens to a tile after the sum over one block of k.
struct TileEnd {
  bool accumulate = false;          // c holds the sum of earlier blocks
  const float* row_bias = nullptr;  // one per row of the tile
  const float* col_bias = nullptr;  // one per column of the tile
  const float* residual = nullptr;  // as large as c, with the same distance between rows
  bool clamp = false;
  float low = 0;
  float high = 0;
  // What is needed soon: asked for during the sum, a line at a time, so that no request waits for
  // room among the others. Whole lines.
  const float* ahead = nullptr;
  std::size_t ahead_floats = 0;
};

// c[rows][cols] = a b, with `rows` fixed by the function. a: [k][rows]; b: [k][GemmTable::cols],
// cols <= GemmTable::cols.
using MicroF32 = void (*)(std::size_t k, const float* a, const float* b, float* c, std::size_t ldc,
                          std::size_t cols, const TileEnd& end);

// The same with the rows of a where they lie.
using MicroInRowsF32 = void (*)(std::size_t k, const float* a, std::size_t row_stride,
                                const float* b, float* c, std::size_t ldc, std::size_t cols,
                                const TileEnd& end);

// The same of few rows and several panels side by side: one panel of one row is too little work to
// cover the latency of a multiply-add. a: rows lda floats apart, not packed; the panels of b lie
// panel_stride floats apart.
using FewRowsF32 = void (*)(std::size_t k, const float* a, std::size_t lda, const float* b,
                            std::size_t panel_stride, float* c, std::size_t ldc, std::size_t cols,
                            const TileEnd& end);

struct GemmTable {
  std::size_t rows = 0;     // the tallest tile
  std::size_t cols = 0;     // the width of a panel of b
  std::size_t longest = 0;  // block of k
  std::size_t chunk = 0;    // floats of a that every panel of b meets in turn
  MicroF32 micro[15] = {};  // by number of rows, from 1
  MicroInRowsF32 micro_in_rows[15] = {};
  // By number of rows and of panels, both from 1, up to most_panels.
  static constexpr std::size_t kMostFewRows = 3;
  std::size_t most_panels[kMostFewRows + 1] = {0, 4, 2, 2};
  FewRowsF32 few_rows[kMostFewRows + 1][5] = {};
  // to[k][rows] = factor * from[rows][k], rows of `from` lying row_stride floats apart.
  void (*pack)(const float* from, std::size_t row_stride, std::size_t rows, std::size_t k,
               float factor, float* to) = nullptr;
  // k rows of b, row_stride floats apart, into whole panels side by side that lie panel_stride
  // floats apart.
  void (*pack_panels)(const float* from, std::size_t row_stride, std::size_t k, std::size_t panels,
                      float* to, std::size_t panel_stride) = nullptr;
};

namespace base {
extern const GemmTable kGemm;
}
namespace avx2 {
extern const GemmTable kGemm;
}
namespace avx512 {
extern const GemmTable kGemm;
}

}  // namespace athanor::kernels
