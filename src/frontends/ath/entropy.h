// Bytes whose values are unequally common, in fewer bytes: an asymmetric numeral system (Duda,
// arXiv 1311.2540) with one table of frequencies for all of them. What it takes is the entropy of
// the bytes within a percent, and the table. Private to the front end.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/status.h"

namespace athanor::ath {

// The same bytes always give the same code. Of no bytes: no bytes.
std::vector<std::uint8_t> EntropyCode(std::span<const std::uint8_t> bytes);

// Fills `bytes`, whose number the reader knows. `code` is hostile: an error says what is wrong.
Status EntropyDecode(std::span<const std::uint8_t> code, std::span<std::uint8_t> bytes);

}  // namespace athanor::ath
