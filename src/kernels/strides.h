// Arithmetic on shapes and strides that kernels do at planning time.
#pragma once

#include <span>

#include "core/tensor.h"

namespace athanor::kernels {

// Row-major strides in elements.
Dims RowMajorStrides(std::span<const std::int64_t> dims);

// Strides of `dims` seen as a tensor of shape `out`: 0 where it is repeated.
Dims BroadcastStrides(const Dims& dims, const Dims& out);

// Drops dimensions of 1 and merges neighbours that every stride list walks as one. The row-major
// tensor of shape `dims` is one of the walkers. At least one dimension is left.
void MergeDims(Dims& dims, std::span<Dims* const> strides);

}  // namespace athanor::kernels
