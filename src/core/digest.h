// A fast 64-bit digest of bytes: finds damage and tells weights apart. Not for secrets or
// signatures. The value is part of file formats and never changes.
#pragma once

#include <cstdint>
#include <span>

namespace athanor {

std::uint64_t Digest64(std::span<const std::uint8_t> bytes);

}  // namespace athanor
