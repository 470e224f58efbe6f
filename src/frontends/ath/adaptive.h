// Integers of 8 or 16 bits in few bytes and without a table: each is a number of yes-or-no
// questions, and an arithmetic coder (Martin, "Range encoding", 1979) learns how likely the answers
// are as it goes. Better than EntropyCode for what is small or wide, and several times slower.
// Private to the front end.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/status.h"

namespace athanor::ath {

// T: std::int8_t, std::uint8_t or std::int16_t.
template <class T>
std::vector<std::uint8_t> AdaptiveCode(std::span<const T> values);
// Fills `values`, whose number the reader knows. `code` is hostile.
template <class T>
Status AdaptiveDecode(std::span<const std::uint8_t> code, std::span<T> values);

// The same of integers that lie on a trellis (core/trellis.h), a path for each row; nothing when
// they do not.
std::optional<std::vector<std::uint8_t>> TrellisCode(std::span<const std::int8_t> values,
                                                     std::size_t row);
Status TrellisDecode(std::span<const std::uint8_t> code, std::size_t row,
                     std::span<std::int8_t> values);

}  // namespace athanor::ath
