#include "score/unknown_values.h"

#include <algorithm>
#include <cstring>

namespace athanor::score {

void CountUnknown(const ParsedBlock& block, const KnownValues& known,
                  std::vector<UnknownValues>& unknown) {
  for (const Elements& column : block.columns) {
    const auto texts = known.find(std::string(column.name));
    if (column.dtype != DType::kString || texts == known.end()) continue;
    UnknownValues found = {texts->first, 0, ""};
    for (std::size_t row = 0; row < block.rows; ++row) {
      const char* cell = nullptr;
      std::memcpy(&cell, column.first + row * column.stride, sizeof(cell));
      const std::string_view text = cell;
      if (text.empty() || texts->second.contains(text)) continue;
      if (found.count++ == 0) found.example = text;
    }
    if (found.count > 0) AddUnknown({found}, unknown);
  }
}

void AddUnknown(const std::vector<UnknownValues>& more, std::vector<UnknownValues>& unknown) {
  for (const UnknownValues& values : more) {
    const auto same = std::find_if(unknown.begin(), unknown.end(), [&](const UnknownValues& had) {
      return had.column == values.column;
    });
    if (same == unknown.end())
      unknown.push_back(values);
    else
      same->count += values.count;
  }
}

}  // namespace athanor::score
