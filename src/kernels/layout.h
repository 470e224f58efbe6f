// Channels in blocks: the layout that convolutions compute in.
//
// A tensor [n, c, h, w] with blocks of b channels lies in memory as [n][c / b][h][w][b], so that
// the channels of one block at one position are one vector. A last block that is not full is
// completed with elements that nobody may read a meaning into: kernels neither rely on their values
// nor let them reach others.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Of pictures: floats, and the bytes of quantised tensors.
bool MayLieInBlocks(DType dtype);

// Channels of a block: the lanes of a vector of floats.
std::int64_t BlockOf(Isa isa);

// The query with channels in blocks: the result, input 0 unless `plain_input`, the operator's other
// inputs that lie position by position like the result, and operands as large as the result. Of an
// element-wise operator input 0 is one of the others. Nothing when the result is no picture that
// may lie in blocks.
std::optional<KernelQuery> InBlocks(const KernelQuery& query, std::int64_t block, bool plain_input);

// "rows", "blocks" or, where the first input has another layout than the result, "rows to blocks".
std::string_view LayoutName(const KernelQuery& query);

// Copies of dims [n, c, h, w], elements of `size` bytes. Slow: for tests and observers; plans
// reorder with a kernel.
void ToBlocks(const std::byte* plain, std::size_t size, const Dims& dims, std::int64_t block,
              std::byte* blocked);
void FromBlocks(const std::byte* blocked, std::size_t size, const Dims& dims, std::int64_t block,
                std::byte* plain);

}  // namespace athanor::kernels
