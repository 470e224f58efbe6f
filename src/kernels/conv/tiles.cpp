#include "kernels/conv/tiles.h"

#include <algorithm>

#include "kernels/divide.h"

namespace athanor::kernels {

const ConvTileTable& ConvTiles(Isa isa) {
  const ConvTileTable* const tables[] = {&base::kConvTiles, &avx2::kConvTiles, &avx512::kConvTiles};
  return *tables[static_cast<std::size_t>(isa)];
}

ChannelTiles::ChannelTiles(const ConvTileTable& table, std::int64_t channels)
    : lanes(static_cast<std::int64_t>(table.lanes)) {
  const auto most = static_cast<std::int64_t>(table.blocks);
  blocks = CeilDivide(channels, lanes);
  tiles = CeilDivide(blocks, most);
}

void RunColumns(const ConvTileTable& table, ConvTile tile, std::int64_t blocks,
                std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  const std::size_t tiles = (n + table.columns - 1) / table.columns;
  const std::size_t width = n / tiles, wider = n % tiles;  // so many have one column more
  const bool indirect = tile.indirect.taps > 0;
  constexpr std::size_t kLine = 16;
  tile.ahead_floats = (tile.ahead_floats / tiles + kLine - 1) / kLine * kLine;
  const auto run = [&](std::size_t columns, std::size_t repeats) {
    if (repeats == 0) return;
    tile.repeats = repeats;
    (indirect ? table.indirect : table.tile)[blocks][columns](tile);
    const std::size_t done = columns * repeats;
    tile.columns += indirect ? done * tile.indirect.taps : done;
    tile.y += done * table.lanes;
    tile.ahead += repeats * tile.ahead_floats;
    if (tile.residual != nullptr) tile.residual += done * table.lanes;
  };
  run(width + 1, wider);
  run(width, tiles - wider);
}

std::vector<float> PaddedBias(const KernelQuery& query, std::int64_t groups,
                              const ChannelTiles& tiles) {
  std::vector<float> padded(static_cast<std::size_t>(groups * tiles.stored()), 0.0F);
  if (!query.Has(2)) return padded;
  const auto bias = query.in[2].constant->Data<float>();
  const std::int64_t channels = std::ssize(bias) / groups;
  for (std::int64_t g = 0; g < groups; ++g)
    std::copy_n(bias.begin() + g * channels, channels, padded.begin() + g * tiles.stored());
  return padded;
}

}  // namespace athanor::kernels
