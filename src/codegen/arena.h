// Places buffers with known lifetimes in one block of memory.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace athanor::codegen {

struct Buffer {
  std::string name;
  std::int64_t bytes = 0;
  // Steps during which it holds data, both included.
  int first = 0, last = 0;
  std::int64_t offset = 0;  // the result

  bool Overlaps(const Buffer& other) const { return first <= other.last && other.first <= last; }
};

inline constexpr std::int64_t kArenaAlignment = 4;

// Sets the offsets, largest buffer first, each into the lowest gap; gives the size of the block.
// Greedy by size: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference"
// (2020), section 5.
std::int64_t PlaceBuffers(std::span<Buffer> buffers);

// The most bytes that are alive in one step: no placement can take less.
std::int64_t LowerBound(std::span<const Buffer> buffers);

}  // namespace athanor::codegen
