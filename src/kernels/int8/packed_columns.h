// Products of two matrices on bytes, y[m][n] = x[m][k] w[k][n]: rows of x are read where they lie
// or staged as elements (flipped, rounded up to whole groups), w is packed for vectors of columns.
#pragma once

#include "kernels/divide.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels::int8 {

struct PackedColumns {
  const LaneTable* table = nullptr;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t row = 0;  // bytes of a staged row
  std::int64_t tiles = 0, panels = 0;
  bool direct = false;  // x can be read where it lies
  std::uint8_t flip = 0;
  std::vector<std::uint32_t> offsets;
  std::shared_ptr<const void> weights;  // panels of [step][vectors][lanes] of groups

  std::int64_t TileBegin(std::int64_t tile) const { return tile * m / tiles; }
  std::int64_t lanes() const { return static_cast<std::int64_t>(table->lanes); }
  std::int64_t vectors(std::int64_t panel) const {
    return std::min<std::int64_t>(2, CeilDivide(n, lanes()) - 2 * panel);
  }
  std::int64_t PanelBytes() const { return std::ssize(offsets) * 2 * lanes() * 4; }

  // `columns`: [n][k], less their zero points. `packed`: panels * PanelBytes().
  void Pack(const std::vector<std::int16_t>& columns, std::uint8_t* packed) const;
  void StageRow(const std::uint8_t* x, std::uint8_t* to) const;
  // Where the rows of a tile meet the columns of a panel in the product.
  struct Part {
    std::int64_t first = 0, rows = 0, column = 0, width = 0;
    std::int64_t stride = 0;  // between the sums of two rows
  };
  // `x`: all rows, staged or direct. `sums`: room for kMostSums.
  static constexpr std::size_t kMostSums = std::size_t{12} * 32;
  Part Multiply(std::int64_t tile, std::int64_t panel, const std::uint8_t* x,
                std::int32_t* sums) const;
};

}  // namespace athanor::kernels::int8
