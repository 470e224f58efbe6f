#include "score/unknown_values.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"

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

bool IsUtf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string ShowValue(std::string_view text, std::size_t most) {
  if (!IsUtf8(text)) return Quote(text.substr(0, most));
  const auto inside = [&](std::size_t at) {  // of a character
    return at > 0 && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
  };
  std::size_t head = text.size(), tail = text.size();
  if (text.size() > most) {
    head = most / 2, tail = text.size() - most / 2;
    while (inside(head)) --head;
    while (inside(tail)) ++tail;
  }
  std::string shown = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == head) {
      shown += "...";
      i = tail;
      if (i == text.size()) break;
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (byte == '"' || byte == '\\') {
      shown += '\\';
      shown += text[i];
    } else if (byte == 0xC2 && next < 0xA0) {  // a terminal may follow these too
      shown += fmt::format("\\x{:02x}\\x{:02x}", byte, next);
      ++i;
    } else if (byte < 0x20 || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += text[i];
    }
  }
  return shown + "\"";
}

}  // namespace athanor::score
