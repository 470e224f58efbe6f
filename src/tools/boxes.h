// Boxes in the outputs of detectors whose network decodes them itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/boxes.h"
#include "core/tensor.h"

namespace athanor::tools {

using athanor::Box;
using athanor::BoxOptions;

struct NamedOutput {
  std::string name;
  Tensor tensor;
};

// Finds one of three forms: boxes [1, N, 4] with scores [1, N, classes]; SSD's [1, 1, N, 7] =
// (picture, label, score, x1, y1, x2, y2); boxes [M, 4] with scores [M] and classes [M], where
// there are classes. An error when no output looks like any.
Result<std::vector<Box>> FindBoxes(const std::vector<NamedOutput>& outputs,
                                   const BoxOptions& options);

}  // namespace athanor::tools
