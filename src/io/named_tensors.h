// Tensors with names, in the order of the file they come from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace athanor::io {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

}  // namespace athanor::io
