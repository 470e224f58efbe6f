// The packed matrix product that MatMul, Gemm and convolutions share.
//
// c[m, n] = a[m, k] b[k, n]. Both factors are rearranged: `a` into tiles of rows ([k][rows]), `b`
// into panels of columns ([k][cols], zero-filled), both cut into blocks of k so that a panel stays
// in a near cache. Tiles differ by at most one row in height, so no tile is small.
#pragma once

#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/gemm/micro_table.h"

namespace athanor::kernels {

const GemmTable& Gemm(Isa isa);

struct GemmShape {
  GemmShape() = default;
  GemmShape(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k);

  const GemmTable* table = nullptr;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t tiles = 0, panels = 0, k_blocks = 1;
  std::int64_t height = 0, taller = 0;  // rows of a tile; the first tiles, which have one more

  std::int64_t cols() const { return static_cast<std::int64_t>(table->cols); }
  std::int64_t TileBegin(std::int64_t tile) const {
    return tile * height + (tile < taller ? tile : taller);
  }
  std::int64_t KBegin(std::int64_t block) const { return block * k / k_blocks; }
  std::int64_t LargestKBlock() const { return CeilDivide(k, k_blocks); }
  std::int64_t PackedAFloats() const { return m * k; }
  std::int64_t PackedBFloats() const { return k * panels * cols(); }
};

// A matrix where it lies: element (i, j) at data[i * row_stride + j * col_stride].
struct Matrix {
  const float* data = nullptr;
  std::int64_t row_stride = 0;
  std::int64_t col_stride = 1;
};

void PackTiles(const GemmShape& shape, Matrix a, float factor, std::int64_t tile_begin,
               std::int64_t tile_end, float* packed);
void PackPanels(const GemmShape& shape, Matrix b, std::int64_t panel_begin, std::int64_t panel_end,
                float* packed);

struct GemmEnd {
  const EpilogueProgram* epilogue = nullptr;
  const KernelArgs* args = nullptr;
  const float* row_bias = nullptr;
  const float* col_bias = nullptr;
  std::int64_t offset = 0;   // of c from the begin of the output
  std::int64_t channel = 0;  // of the first row of c
  bool add = false;          // to what c holds
};

// One block of k on a range of tiles and panels. `a`: the whole packed matrix; `b`: the first panel
// of the range in this block; `next`: the panel that is used after the range, if that is known.
// Applies the end after the last block.
void MultiplyBlock(const GemmShape& shape, const float* a, const float* b, std::int64_t k_block,
                   std::int64_t tile_begin, std::int64_t tile_end, std::int64_t panel_begin,
                   std::int64_t panel_end, float* c, std::int64_t ldc, const GemmEnd& end,
                   const float* next = nullptr);

// All blocks of k, with `b` wholly packed.
void Multiply(const GemmShape& shape, const float* a, const float* b, std::int64_t tile_begin,
              std::int64_t tile_end, std::int64_t panel_begin, std::int64_t panel_end, float* c,
              std::int64_t ldc, const GemmEnd& end);

// c = a b with the rows of `a` where they lie, when there are so few panels that packing `a` would
// take a good part of the time.
void MultiplyRows(const GemmShape& shape, const float* a, std::int64_t lda, const float* b,
                  float* c, std::int64_t ldc);

}  // namespace athanor::kernels
