#include "kernels/gemm/gemm.h"

#include <algorithm>

#include "kernels/divide.h"

namespace athanor::kernels {
namespace {

// With fewer tiles the next panel is asked for too late.
constexpr std::int64_t kFewTiles = 4;
// Panels of so many floats are still in the second-level cache when the next chunk of a meets them.
constexpr std::int64_t kKeptFloats = 131072;

}  // namespace

const GemmTable& Gemm(Isa isa) {
  const GemmTable* const tables[] = {&base::kGemm, &avx2::kGemm, &avx512::kGemm};
  return *tables[static_cast<std::size_t>(isa)];
}

GemmShape::GemmShape(Isa isa, std::int64_t m, std::int64_t n, std::int64_t k)
    : table(&Gemm(isa)), m(m), n(n), k(k) {
  tiles = CeilDivide(m, static_cast<std::int64_t>(table->rows));
  if (tiles > 0) {
    height = m / tiles;
    taller = m % tiles;
  }
  panels = CeilDivide(n, cols());
  k_blocks = std::max<std::int64_t>(1, CeilDivide(k, static_cast<std::int64_t>(table->longest)));
}

void PackTiles(const GemmShape& shape, Matrix a, float factor, std::int64_t tile_begin,
               std::int64_t tile_end, float* packed) {
  // Rows are read from their begin to their end.
  for (std::int64_t tile = tile_begin; tile < tile_end; ++tile) {
    const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
    for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
      const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
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
  const std::int64_t whole =
      b.col_stride == 1
          ? std::max<std::int64_t>(0, std::min(panel_end, shape.n / width) - panel_begin)
          : 0;
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    const auto panel_at = [&](std::int64_t panel) {
      return packed + k0 * shape.panels * width + panel * kc * width;
    };
    const auto first_of = [&](std::int64_t panel) {
      return b.data + k0 * b.row_stride + panel * width * b.col_stride;
    };
    if (whole > 0) {
      shape.table->pack_panels(first_of(panel_begin), static_cast<std::size_t>(b.row_stride),
                               static_cast<std::size_t>(kc), static_cast<std::size_t>(whole),
                               panel_at(panel_begin), static_cast<std::size_t>(kc * width));
    }
    for (std::int64_t panel = panel_begin + whole; panel < panel_end; ++panel) {
      const std::int64_t cols = std::min(width, shape.n - panel * width);
      float* to = panel_at(panel);
      const float* from = first_of(panel);
      if (b.row_stride == 1 && cols == width) {
        // A tile of columns.
        shape.table->pack(from, static_cast<std::size_t>(b.col_stride), shape.table->cols,
                          static_cast<std::size_t>(kc), 1, to);
        continue;
      }
      for (std::int64_t p = 0; p < kc; ++p, to += width, from += b.row_stride) {
        for (std::int64_t j = 0; j < cols; ++j) to[j] = from[j * b.col_stride];
        if (cols < width) std::fill(to + cols, to + width, 0.0F);
      }
    }
  }
}

void MultiplyBlock(const GemmShape& shape, const float* a, const float* b, std::int64_t k_block,
                   std::int64_t tile_begin, std::int64_t tile_end, std::int64_t panel_begin,
                   std::int64_t panel_end, float* c, std::int64_t ldc, const GemmEnd& end,
                   const float* next) {
  const std::int64_t k0 = shape.KBegin(k_block), kc = shape.KBegin(k_block + 1) - k0;
  const bool last = k_block + 1 == shape.k_blocks;
  const EpilogueProgram& epilogue = *end.epilogue;
  const float* residual =
      last && epilogue.residual != 0 ? end.args->In(epilogue.residual) + end.offset : nullptr;
  TileEnd tile_done = {.accumulate = end.add || k_block > 0,
                       .clamp = last && epilogue.clamp,
                       .low = epilogue.low,
                       .high = epilogue.high};
  const std::int64_t first_col = panel_begin * shape.cols();
  const std::int64_t last_col = std::min(shape.n, panel_end * shape.cols());
  const std::int64_t panel_floats = kc * shape.cols(), tiles = tile_end - tile_begin;
  const bool stays = (panel_end - panel_begin) * panel_floats <= kKeptFloats;
  const std::int64_t height = shape.TileBegin(tile_end) - shape.TileBegin(tile_begin);
  const std::int64_t chunks =
      CeilDivide(height * kc, static_cast<std::int64_t>(shape.table->chunk));
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
    const std::int64_t from = tile_begin + chunk * tiles / chunks;
    const std::int64_t to = tile_begin + (chunk + 1) * tiles / chunks;
    // Of the next panel, that is asked for before each tile.
    const std::int64_t share = WholeLines(CeilDivide(panel_floats, to - from));
    for (std::int64_t panel = panel_begin; panel < panel_end; ++panel) {
      const std::int64_t c0 = panel * shape.cols();
      if (last && end.col_bias != nullptr) tile_done.col_bias = end.col_bias + c0;
      const auto cols = static_cast<std::size_t>(std::min(shape.cols(), shape.n - c0));
      const float* const packed = b + (panel - panel_begin) * panel_floats;
      const float* ahead = panel + 1 < panel_end ? packed + panel_floats : next;
      if ((chunk > 0 && stays) || to - from < kFewTiles) ahead = nullptr;
      tile_done.ahead = nullptr;
      tile_done.ahead_floats = ahead != nullptr ? static_cast<std::size_t>(share) : 0;
      for (std::int64_t tile = from; tile < to; ++tile) {
        if (ahead != nullptr) tile_done.ahead = ahead + (tile - from) * share;
        const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
        if (last && end.row_bias != nullptr) tile_done.row_bias = end.row_bias + r0;
        if (residual != nullptr) tile_done.residual = residual + r0 * ldc + c0;
        shape.table->micro[rows](static_cast<std::size_t>(kc), a + k0 * shape.m + r0 * kc, packed,
                                 c + r0 * ldc + c0, static_cast<std::size_t>(ldc), cols, tile_done);
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
  const auto packed = [&](std::int64_t block, std::int64_t panel) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    return b + (k0 * shape.panels + panel * kc) * shape.cols();
  };
  // Where there are several blocks of k, some panels are finished before the next ones: their part
  // of c, which every block adds to, stays in the second-level cache, and so do they.
  const std::int64_t kept = static_cast<std::int64_t>(shape.table->chunk) / 2;
  const std::int64_t strip =
      shape.k_blocks > 1 ? std::max<std::int64_t>(1, kept / (shape.LargestKBlock() * shape.cols()))
                         : panel_end - panel_begin;
  for (std::int64_t from = panel_begin; from < panel_end; from += strip) {
    const std::int64_t to = std::min(panel_end, from + strip);
    for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
      const float* next = to < panel_end ? packed(0, to) : nullptr;
      if (block + 1 < shape.k_blocks) next = packed(block + 1, from);
      MultiplyBlock(shape, a, packed(block, from), block, tile_begin, tile_end, from, to, c, ldc,
                    end, next);
    }
  }
}

void MultiplyRows(const GemmShape& shape, const float* a, std::int64_t lda, const float* b,
                  float* c, std::int64_t ldc) {
  for (std::int64_t block = 0; block < shape.k_blocks; ++block) {
    const std::int64_t k0 = shape.KBegin(block), kc = shape.KBegin(block + 1) - k0;
    const TileEnd end = {.accumulate = block > 0};
    for (std::int64_t panel = 0; panel < shape.panels; ++panel) {
      const std::int64_t c0 = panel * shape.cols();
      const float* const packed = b + (k0 * shape.panels + panel * kc) * shape.cols();
      for (std::int64_t tile = 0; tile < shape.tiles; ++tile) {
        const std::int64_t r0 = shape.TileBegin(tile), rows = shape.TileBegin(tile + 1) - r0;
        shape.table->micro_in_rows[rows](
            static_cast<std::size_t>(kc), a + r0 * lda + k0, static_cast<std::size_t>(lda), packed,
            c + r0 * ldc + c0, static_cast<std::size_t>(ldc),
            static_cast<std::size_t>(std::min(shape.cols(), shape.n - c0)), end);
      }
    }
  }
}

}  // namespace athanor::kernels
