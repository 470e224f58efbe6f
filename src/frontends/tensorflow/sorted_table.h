// The table file of LevelDB, in which a bundle keeps its index: sorted keys and values in blocks.
//
// Source: github.com/google/leveldb, doc/table_format.md (blocks, their trailers, the footer) and
// github.com/google/snappy, format_description.txt (compressed blocks).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::tensorflow {

// Every key with its value. Checksums of the blocks are verified; sizes are checked before use.
Result<std::map<std::string, std::string>> ReadSortedTable(std::span<const std::uint8_t> bytes);

// Snappy's raw format. At most `max_bytes` come out.
Result<std::vector<std::uint8_t>> Unsnap(std::span<const std::uint8_t> packed,
                                         std::size_t max_bytes);

// The CRC-32C (Castagnoli) of the bytes.
std::uint32_t Crc32c(std::span<const std::uint8_t> bytes);

}  // namespace athanor::tensorflow
