// Kernel, stride, dilation and pads of a two-dimensional layer, from its parameters.
#pragma once

#include "frontends/ncnn/layer_import.h"

namespace athanor::ncnn {

struct Window {
  std::vector<std::int64_t> kernel, strides, dilations;  // height, width
  std::vector<std::int64_t> pads;                        // top, left, bottom, right
  std::string auto_pad = "NOTSET";

  AttrMap Attributes() const;
};

// Ids of the parameters; -1: the layer has none. Those for the height follow at id + 10.
struct WindowIds {
  int stride = 3, dilation = 2, pad_left = 4, pad_top = 14, pad_right = 15, pad_bottom = 16;
};

Result<Window> ReadWindow(const LayerImport& ctx, const WindowIds& ids = {});

}  // namespace athanor::ncnn
