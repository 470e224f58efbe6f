// What kernels that call the convolution tile share: constants packed for it, and loops over tiles.
#pragma once

#include "kernels/conv/tile_table.h"
#include "kernels/epilogue.h"

namespace athanor::kernels {

const ConvTileTable& ConvTiles(Isa isa);

// Blocks of output channels cut into runs of up to the tallest tile, all about equally tall.
struct ChannelTiles {
  ChannelTiles() = default;
  ChannelTiles(const ConvTileTable& table, std::int64_t channels);

  std::int64_t lanes = 0, blocks = 0, tiles = 0;
  std::int64_t Begin(std::int64_t tile) const { return tile * blocks / tiles; }
  std::int64_t stored() const { return blocks * lanes; }
};

// Runs `tile` over `count` columns, in tiles that are about equally wide. `columns`, `y` and
// `residual` of the tile are those of the first column.
void RunColumns(const ConvTileTable& table, ConvTile tile, std::int64_t blocks, std::int64_t count);

// The bias completed to whole blocks of each group, when it is known at planning time.
std::vector<float> PaddedBias(const KernelQuery& query, std::int64_t groups,
                              const ChannelTiles& tiles);

}  // namespace athanor::kernels
