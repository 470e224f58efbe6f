#include "kernels/int8/packed_columns.h"

#include <algorithm>

namespace athanor::kernels::int8 {

void PackedColumns::Pack(const std::vector<std::int16_t>& columns, std::uint8_t* packed) const {
  const std::size_t bytes = table->element_bytes;
  const auto group = static_cast<std::int64_t>(4 / bytes);
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const std::int64_t first = 2 * panel * lanes();
    for (std::int64_t step = 0; step < std::ssize(offsets); ++step) {
      const std::int64_t at = offsets[static_cast<std::size_t>(step)] / 4 * group;
      const std::int64_t pass = step / (row / 4);
      for (std::int64_t j = first; j < first + vectors(panel) * lanes(); ++j, packed += 4) {
        std::int16_t some[4] = {};
        for (std::int64_t i = 0; i < std::min(group, k - at) && j < n; ++i)
          some[i] = PartOf(columns[static_cast<std::size_t>(j * k + at + i)], pass, bytes);
        WriteGroup(some, bytes, packed);
      }
    }
  }
}

void PackedColumns::StageRow(const std::uint8_t* x, std::uint8_t* to) const {
  table->stage(x, static_cast<std::size_t>(k), flip, to);
  const std::int64_t end = k * static_cast<std::int64_t>(table->element_bytes);
  std::fill(to + end, to + row, 0);
}

PackedColumns::Part PackedColumns::Multiply(std::int64_t tile, std::int64_t panel,
                                            const std::uint8_t* x, std::int32_t* sums) const {
  const std::int64_t first = TileBegin(tile), rows = TileBegin(tile + 1) - first;
  const std::int64_t stride = vectors(panel) * lanes(), column = 2 * panel * lanes();
  table->product[vectors(panel) - 1][rows](
      offsets.size(), x + first * row, static_cast<std::size_t>(row), offsets.data(),
      static_cast<const std::uint8_t*>(weights.get()) + panel * PanelBytes(), sums);
  return {first, rows, column, std::min(stride, n - column), stride};
}

}  // namespace athanor::kernels::int8
