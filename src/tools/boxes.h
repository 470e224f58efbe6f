// Boxes in the outputs of detectors whose network decodes them itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace athanor::tools {

// Corners as the network gives them: fractions of the picture or pixels.
struct Box {
  std::size_t label = 0;
  double score = 0;
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

struct BoxOptions {
  double min_score = 0.5;
  double max_overlap = 0.45;  // intersection over union above which the weaker of a class goes
};

struct NamedOutput {
  std::string name;
  Tensor tensor;
};

// Finds one of two forms: boxes [1, N, 4] with scores [1, N, classes], or SSD's
// [1, 1, N, 7] = (picture, label, score, x1, y1, x2, y2). Nothing when no output looks like either.
std::optional<std::vector<Box>> FindBoxes(const std::vector<NamedOutput>& outputs,
                                          const BoxOptions& options);

}  // namespace athanor::tools
