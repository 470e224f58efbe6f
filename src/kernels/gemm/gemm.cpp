#include "kernels/gemm/gemm.h"

#include <algorithm>
#include <cstring>

#include "kernels/divide.h"

namespace athanor::kernels {
namespace {

// A panel of 32 columns and this many rows takes 32 KiB of the first-level cache.
constexpr std::int64_t kLongestKBlock = 256;
// So many panels are finished before the next ones: their part of c, which every block of k adds
// to, stays in the second-level cache.
constexpr std::int64_t kStrip = 8;
// Floats of a that every panel of a strip meets in turn, a quarter of a small second-level cache.
constexpr std::int64_t kChunkFloats = 32768;

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
      const float* from = a.data + r0 * a.row_stride + k0 * a.col_stride;
      if (a.col_stride == 1) {
        shape.table->pack(from, static_cast<std::size_t>(a.row_stride),
                          static_cast<std::size_t>(rows), static_cast<std::size_t>(kc), factor, to);
        continue;
      }
      for (std::int64_t p = 0; p < kc; ++p, from += a.col_stride, to += rows) {
        for (std::int64_t i = 0; i < rows; ++i) to[i] = factor * from[i * a.row_stride];
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
  const std::int64_t chunk =
      std::max<std::int64_t>(1, kChunkFloats / (kc * static_cast<std::int64_t>(shape.table->rows)));
  for (std::int64_t from = tile_begin; from < tile_end; from += chunk) {
    const std::int64_t to = std::min(tile_end, from + chunk);
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const std::int64_t c0 = panel * shape.cols();
      if (last && end.col_bias != nullptr) tile_done.col_bias = end.col_bias + c0;
      const auto cols = static_cast<std::size_t>(std::min(shape.cols(), shape.n - c0));
      for (std::int64_t tile = from; tile < to; ++tile) {
        const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
        if (last && end.row_bias != nullptr) tile_done.row_bias = end.row_bias + r0;
        if (residual != nullptr) tile_done.residual = residual + r0 * ldc + c0;
        shape.table->micro[rows](static_cast<std::size_t>(kc), a + k0 * shape.m + r0 * kc,
                                 b + (panel - panel_begin) * kc * shape.cols(), c + r0 * ldc + c0,
                                 static_cast<std::size_t>(ldc), cols, tile_done);
      }
    }
  }
  if (!last || epilogue.steps.empty()) return;
  for (std::int64_t row = shape.TileBegin(tile_begin); row < shape.TileBegin(tile_end); ++row) {
    const std::int64_t at = row * ldc + first_col;
    epilogue.Apply(*end.args, c + at, last_col - first_col, end.offset + at, end.channel + row,
                   first_col);
  }
}

void Multiply(const GemmShape& shape, const float* a, const float* b, std::int64_t tile_begin,
              std::int64_t tile_end, std::int64_t panel_begin, std::int64_t panel_end, float* c,
              std::int64_t ldc, const GemmEnd& end) {
  for (std::int64_t from = panel_begin; from < panel_end; from += kStrip) {
    const std::int64_t to = std::min(panel_end, from + kStrip);
    for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
      const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
      const float* strip = b + (k0 * shape.panels + from * kc) * shape.cols();
      MultiplyBlock(shape, a, strip, block, tile_begin, tile_end, from, to, c, ldc, end);
    }
  }
}

}  // namespace athanor::kernels
