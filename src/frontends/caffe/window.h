// Kernel, strides, pads and dilations of convolutions and poolings, as Caffe says them.
#pragma once

#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {

struct Window {
  std::vector<std::int64_t> kernel, strides, pads,
      dilations;  // one per spatial axis, outermost first

  // `pads` stand on both sides.
  AttrMap Attributes() const;
};

// `param` has kernel_size, stride, pad (once, or per axis) or kernel_h, kernel_w and so on; the
// layers of C3D say kernel_depth, temporal_stride and temporal_pad for the outermost of three axes.
Window ReadWindow(LayerImport& ctx, Params& param, std::int64_t spatial);

}  // namespace athanor::caffe
