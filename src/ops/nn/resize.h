// Which elements each element of a resized tensor is made of. Kernels read it too.
#pragma once

#include <vector>

#include "ir/op_def.h"

namespace athanor::ops {

// One axis: which inputs each output takes, and with which weight.
struct ResizeAxis {
  std::size_t axis = 0;
  std::int64_t in = 0, out = 0;
  double scale = 1;
  double roi_begin = 0, roi_end = 1;
  std::int64_t taps = 0;
  std::vector<std::int64_t> index = {};  // out * taps
  std::vector<double> weight = {};       // out * taps
  std::vector<bool> outside = {};        // out
};

// The inputs of Resize that say how large; nullptr: omitted.
struct ResizeSizes {
  const Tensor* roi = nullptr;
  const Tensor* scales = nullptr;
  const Tensor* sizes = nullptr;
};

// The axes that change, those that shrink first: so nothing in between is larger than x or y.
// Resizing is one axis after the other.
Result<std::vector<ResizeAxis>> PlanResize(const AttrMap& attributes, const Dims& in,
                                           const Dims& out, const ResizeSizes& given);

}  // namespace athanor::ops
