// Texts of a table that its model never saw: scored as the model says, and counted for the reader.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "score/table_parser.h"

namespace athanor::score {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};
using TextSet = std::unordered_set<std::string, TextHash, std::equal_to<>>;

// The texts that a model knows, by the column; a column that is not there takes any.
using KnownValues = std::map<std::string, TextSet>;

struct UnknownValues {
  std::string column;
  std::int64_t count = 0;
  std::string example;  // the first
};

// Adds what a block has; blocks come in order. Missing cells are not counted.
void CountUnknown(const ParsedBlock& block, const KnownValues& known,
                  std::vector<UnknownValues>& unknown);
// Adds what later blocks had.
void AddUnknown(const std::vector<UnknownValues>& more, std::vector<UnknownValues>& unknown);

bool IsUtf8(std::string_view text);
// In quotes, for a reader: letters of UTF-8 as they are, what is none and control characters
// escaped (\xHH). Of a long text the middle is left out, so that about `most` bytes remain.
std::string ShowValue(std::string_view text, std::size_t most);

}  // namespace athanor::score
