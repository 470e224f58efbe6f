// Tensors along their first dimension: several as one, and parts of one.
#pragma once

#include "core/tensor.h"

namespace athanor {

// The parts behind each other, copied. An error unless there is one at least and all have one type
// and the same dimensions behind the first.
Result<Tensor> StackRows(std::span<const Tensor> parts);

// Rows [begin, begin + rows) of a tensor of rank 1 or more, sharing its memory. They must be there.
Tensor TakeRows(const Tensor& tensor, std::int64_t begin, std::int64_t rows);

}  // namespace athanor
