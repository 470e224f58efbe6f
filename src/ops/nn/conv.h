// Convolution: its attributes and what follows from them and the shapes. Kernels read both.
#pragma once

#include "ops/nn/window.h"

namespace athanor::ops {

struct ConvAttrs {
  std::vector<std::int64_t> kernel_shape;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;
  std::string auto_pad = "NOTSET";
  std::int64_t group = 1;

  template <class V>
  void Visit(V& v) {
    v("auto_pad", auto_pad, "NOTSET (use pads), VALID, SAME_UPPER or SAME_LOWER");
    v("dilations", dilations, "distance between taps per spatial axis; empty: 1");
    v("group", group, "channels are divided into this many independent groups");
    v("kernel_shape", kernel_shape, "size of the window; empty: that of w");
    v("pads", pads, "elements added, first all begins, then all ends; empty: 0");
    v("strides", strides, "step of the window per spatial axis; empty: 1");
  }
};

// One convolution with all sizes known.
struct ConvGeometry {
  std::int64_t batch = 0;
  std::int64_t in_channels = 0;   // of all groups
  std::int64_t out_channels = 0;  // of all groups
  std::int64_t group = 1;
  std::vector<WindowAxis> axes = {};  // one per spatial axis
};

// x: [n, c, d1, ..., dk], w: [m, c / group, k1, ..., kk]. Checks everything.
Result<ConvGeometry> ResolveConv(const ConvAttrs& attrs, std::span<const std::int64_t> x,
                                 std::span<const std::int64_t> w);

}  // namespace athanor::ops
