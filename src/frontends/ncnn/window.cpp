#include "frontends/ncnn/window.h"

#include <algorithm>

namespace athanor::ncnn {
namespace {

constexpr std::int64_t kSameUpper = -233, kSameLower = -234;

// A size of the width, and of the height, which is the same unless it is given.
std::vector<std::int64_t> HeightAndWidth(const LayerImport& ctx, int id, std::int64_t otherwise) {
  if (id < 0) return {otherwise, otherwise};
  const std::int64_t width = ctx.Int(id, otherwise);
  return {ctx.Int(id + 10, width), width};
}

}  // namespace

AttrMap Window::Attributes() const {
  AttrMap attributes = {{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}};
  if (auto_pad == "NOTSET") {
    attributes.Set("pads", pads);
  } else {
    attributes.Set("auto_pad", auto_pad);
  }
  return attributes;
}

Result<Window> ReadWindow(const LayerImport& ctx, const WindowIds& ids) {
  Window window = {.kernel = HeightAndWidth(ctx, 1, 0),
                   .strides = HeightAndWidth(ctx, ids.stride, 1),
                   .dilations = HeightAndWidth(ctx, ids.dilation, 1),
                   .pads = {},
                   .auto_pad = "NOTSET"};
  const std::int64_t left = ctx.Int(ids.pad_left, 0), top = ctx.Int(ids.pad_top, left);
  window.pads = {top, left, ctx.Int(ids.pad_bottom, top), ctx.Int(ids.pad_right, left)};
  const auto all = [&](std::int64_t pad) {
    return std::all_of(window.pads.begin(), window.pads.end(), [&](auto p) { return p == pad; });
  };
  if (all(kSameUpper)) {
    window.auto_pad = "SAME_UPPER";
  } else if (all(kSameLower)) {
    window.auto_pad = "SAME_LOWER";
  } else if (*std::min_element(window.pads.begin(), window.pads.end()) < 0) {
    return InvalidModel("pads {} make no sense", ToString(window.pads));
  }
  for (const auto* sizes : {&window.kernel, &window.strides, &window.dilations}) {
    if (*std::min_element(sizes->begin(), sizes->end()) < 1)
      return InvalidModel("kernel {}, strides {} and dilations {} must be positive",
                          ToString(window.kernel), ToString(window.strides),
                          ToString(window.dilations));
  }
  return window;
}

}  // namespace athanor::ncnn
