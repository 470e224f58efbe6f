// The tensors of a .pdiparams file: one after the other, without names.
#pragma once

#include <memory>
#include <vector>

#include "core/tensor.h"
#include "frontends/paddle/program.h"

namespace athanor::paddle {

// The first `count` tensors; an error when there are fewer or more. `owner` keeps the bytes alive:
// elements are not copied where the file aligns them.
Result<std::vector<Tensor>> ReadParameters(Bytes bytes, std::size_t count,
                                           const std::shared_ptr<const void>& owner);

}  // namespace athanor::paddle
