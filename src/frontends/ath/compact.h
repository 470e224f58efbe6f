// The structure of a compressed .ath file in few bytes, before they are deflated: fields of one
// kind lie together, what was said before is a number, and places are counted from where they are
// expected. A flatbuffer spends most of its bytes on offsets, which no deflating finds alike.
// Private to the front end.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/status.h"

namespace athanor::ath {

// `structure`: a valid flatbuffer of ath.fbs. Offsets and digests of weights are left out: they are
// 0 in compressed files.
std::vector<std::uint8_t> Compact(std::span<const std::uint8_t> structure);

// The flatbuffer again, of `most` bytes or so at most. `bytes` are hostile, and so is what comes of
// them: a flatbuffer that still has to be verified.
Result<std::vector<std::uint8_t>> Expand(std::span<const std::uint8_t> bytes, std::uint64_t most);

}  // namespace athanor::ath
