// Tensors as PyTorch stores them: sizes and strides over bytes that several tensors may share.
#pragma once

#include "core/tensor.h"
#include "frontends/pytorch/zip.h"

namespace athanor::pytorch {

// What may still be copied: hostile files name one storage many times.
struct CopyBudget {
  std::size_t bytes = 0;
  // What honest files need: some of their weights once more.
  static CopyBudget For(Bytes file) { return {(std::size_t{64} << 20) + 2 * file.size()}; }
};

// Elements [offset + sum of index * stride]. Dense ones stay where they are; others are copied.
// Hostile input: all elements must lie within the bytes, and copies within the budget.
Result<Tensor> StridedTensor(DType dtype, const Dims& sizes, const Dims& strides,
                             std::int64_t offset, const Member& storage, CopyBudget& budget);

}  // namespace athanor::pytorch
