#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <cstring>

#include "kernels/divide.h"

namespace athanor::kernels {
namespace {

// A panel of 32 columns and this many rows takes 32 KiB of the first-level cache.
constexpr std::int64_t kLongestKBlock = 256;

}  // namespace

const GemmTable& Gemm(Isa isa) {
  const GemmTable* const tables[] = {&base::kGemm, &avx2::kGemm, &avx512::kGemm};
  return *tables[static_cast<std::size_t>(isa)];
}

GemmShape::GemmShape(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k)
    : table(&Gemm(isa)), m(m), n(n), k(k) {
  tiles = CeilDivide(m, static_cast<std::int64_t>(table->rows));
  panels = CeilDivide(n, cols());
  k_blocks = std::max<std::int64_t>(1, CeilDivide(k, kLongestKBlock));
}

void PackTiles(const GemmShape& shape, Matrix a, float factor, std::int64_t tile_begin,
               std::int64_t tile_end, float* packed) {
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    for (std::int64_t tile = tile_begin; tile < tile_end; ++tile) {
      const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
      float* to = packed + k0 * shape.m + r0 * kc;
      for (std::int64_t i = 0; i < rows; ++i) {
        const float* from = a.data + (r0 + i) * a.row_stride + k0 * a.col_stride;
        for (std::int64_t p = 0; p < kc; ++p) to[p * rows + i] = factor * from[p * a.col_stride];
      }
    }
  }
}

void PackPanels(const GemmShape& shape, Matrix b, std::int64_t panel_begin, std::int64_t panel_end,
                float* packed) {
  const std::int64_t width = shape.cols();
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const std::int64_t c0 = panel * width, cols = std::min(width, shape.n - c0);
      float* to = packed + k0 * shape.panels * width + panel * kc * width;
      const float* from = b.data + k0 * b.row_stride + c0 * b.col_stride;
      for (std::int64_t p = 0; p < kc; ++p, to += width, from += b.row_stride) {
        if (b.col_stride == 1) {
          std::memcpy(to, from, static_cast<std::size_t>(cols) * sizeof(float));
        } else {
          for (std::int64_t j = 0; j < cols; ++j) to[j] = from[j * b.col_stride];
        }
        if (cols < width) std::fill(to + cols, to + width, 0.0F);
      }
    }
  }
}

void MultiplyBlock(const GemmShape& shape, const float* a, const float* b, std::int64_t k_block,
                   std::int64_t tile_begin, std::int64_t tile_end, std::int64_t panel_begin,
                   std::int64_t panel_end, float* c, std::int64_t ldc, const GemmEnd& end) {
  const std::int64_t k0 = shape.KBegin(k_block), kc = shape.KBegin(k_block + 1) - k0;
  const bool last = k_block + 1 == shape.k_blocks;
  const EpilogueProgram& epilogue = *end.epilogue;
  const float* residual =
      last && epilogue.residual != 0 ? end.args->In(epilogue.residual) + end.offset : nullptr;
  TileEnd tile_done = {.accumulate = k_block > 0,
                       .clamp = last && epilogue.clamp,
                       .low = epilogue.low,
                       .high = epilogue.high};
  const std::int64_t first_col = panel_begin * shape.cols();
  const std::int64_t last_col = std::min(shape.n, panel_end * shape.cols());
  for (std::int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
    const MicroF32 micro = shape.table->micro[rows];
    const float* a_tile = a + k0 * shape.m + r0 * kc;
    if (last && end.row_bias != nullptr) tile_done.row_bias = end.row_bias + r0;
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const std::int64_t c0 = panel * shape.cols();
      if (last && end.col_bias != nullptr) tile_done.col_bias = end.col_bias + c0;
      if (residual != nullptr) tile_done.residual = residual + r0 * ldc + c0;
      micro(static_cast<std::size_t>(kc), a_tile, b + (panel - panel_begin) * kc * shape.cols(),
            c + r0 * ldc + c0, static_cast<std::size_t>(ldc),
            static_cast<std::size_t>(std::min(shape.cols(), shape.n - c0)), tile_done);
    }
    if (!last || epilogue.steps.empty()) continue;
    for (std::int64_t row = r0; row < r0 + rows; ++row) {
      const std::int64_t at = row * ldc + first_col;
      epilogue.Apply(*end.args, c + at, last_col - first_col, end.offset + at, end.channel + row,
                     first_col);
    }
  }
}

void Multiply(const GemmShape& shape, const float* a, const float* b, std::int64_t tile_begin,
              std::int64_t tile_end, std::int64_t panel_begin, std::int64_t panel_end, float* c,
              std::int64_t ldc, const GemmEnd& end) {
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    const float* b_block = b + (k0 * shape.panels + panel_begin * kc) * shape.cols();
    MultiplyBlock(shape, a, b_block, block, tile_begin, tile_end, panel_begin, panel_end, c, ldc,
                  end);
  }
}

}  // namespace athanor::kernels
