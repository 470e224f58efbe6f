// Channels in blocks: the layout that convolutions compute in.
//
// A tensor [n, c, h, w] with blocks of b channels lies in memory as [n][c / b][h][w][b], so that
// the channels of one block at one position are one vector. A last block that is not full is
// completed with elements that nobody may read a meaning into: kernels neither rely on their values
// nor let them reach others.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Channels of a block: the lanes of a vector of floats.
std::int64_t BlockOf(Isa isa);

// The query with channels in blocks: the result, input 0 unless `plain_input`, the operator's other
// inputs that lie position by position like the result, and operands as large as the result. Of an
// element-wise operator input 0 is one of the others. Nothing when the result is no picture of
// floats.
std::optional<KernelQuery> InBlocks(const KernelQuery& query, std::int64_t block, bool plain_input);

// "rows", "blocks" or, where the first input has another layout than the result, "rows to blocks".
std::string_view LayoutName(const KernelQuery& query);

// Copies of dims [n, c, h, w]. Slow: for tests and observers; plans reorder with a kernel.
void ToBlocks(const float* plain, const Dims& dims, std::int64_t block, float* blocked);
void FromBlocks(const float* blocked, const Dims& dims, std::int64_t block, float* plain);

}  // namespace athanor::kernels
