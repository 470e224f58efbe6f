#include "codegen/arena.h"

#include <algorithm>

namespace athanor::codegen {
namespace {

std::int64_t Aligned(std::int64_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// The lowest offset at which nothing placed is in the way. `placed` is sorted by offset.
std::int64_t LowestGap(const Buffer& buffer, std::span<Buffer* const> placed) {
  std::int64_t offset = 0;
  for (const Buffer* other : placed) {
    if (!buffer.Overlaps(*other)) continue;
    if (offset + buffer.bytes <= other->offset) break;
    offset = std::max(offset, Aligned(other->offset + other->bytes));
  }
  return offset;
}

}  // namespace

std::int64_t PlaceBuffers(std::span<Buffer> buffers) {
  std::vector<Buffer*> order;
  for (Buffer& buffer : buffers) order.push_back(&buffer);
  std::stable_sort(order.begin(), order.end(),
                   [](const Buffer* a, const Buffer* b) { return a->bytes > b->bytes; });
  std::vector<Buffer*> placed;
  std::int64_t size = 0;
  for (Buffer* buffer : order) {
    buffer->offset = LowestGap(*buffer, placed);
    size = std::max(size, Aligned(buffer->offset + buffer->bytes));
    const auto at =
        std::upper_bound(placed.begin(), placed.end(), buffer,
                         [](const Buffer* a, const Buffer* b) { return a->offset < b->offset; });
    placed.insert(at, buffer);
  }
  return size;
}

std::int64_t LowerBound(std::span<const Buffer> buffers) {
  std::int64_t most = 0;
  for (const Buffer& at : buffers) {  // alive sums only grow where a buffer begins
    std::int64_t sum = 0;
    for (const Buffer& other : buffers) {
      if (other.first <= at.first && at.first <= other.last) sum += Aligned(other.bytes);
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace athanor::codegen
