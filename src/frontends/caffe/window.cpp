#include "frontends/caffe/window.h"

#include <algorithm>

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

// What a size is called: for all axes, for each of two, for the outermost of three.
struct Names {
  std::string_view all, height, width, depth;
};

IntList PerAxis(LayerImport& ctx, Params& param, const Names& names, std::int64_t spatial,
                std::int64_t otherwise) {
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(spatial, 0));
  IntList values = param.Ints(names.all);
  const std::int64_t height = param.Int(names.height, otherwise);
  const std::int64_t width = param.Int(names.width, otherwise);
  const std::int64_t depth = param.Int(names.depth, otherwise);
  if (param.Has(names.height) || param.Has(names.width)) {
    if (spatial == 2) return {height, width};
    ctx.Fail(InvalidModel("{} is for two axes; the input has {}", names.height, spatial));
  }
  if (values.empty()) values = {otherwise};
  if (values.size() == 1) values.assign(count, values[0]);
  if (param.Has(names.depth) && count == 3) values[0] = depth;
  if (values.size() == count) return values;
  ctx.Fail(InvalidModel("{} is given {} times; the input has {} such axes", names.all,
                        values.size(), spatial));
  return IntList(count, otherwise);
}

}  // namespace

AttrMap Window::Attributes() const {
  IntList both = pads;
  both.insert(both.end(), pads.begin(), pads.end());
  return {{"kernel_shape", kernel}, {"strides", strides}, {"pads", both}, {"dilations", dilations}};
}

Window ReadWindow(LayerImport& ctx, Params& param, std::int64_t spatial) {
  constexpr std::int64_t kMost = 1 << 20;  // keeps sums of sizes far from overflow
  Window window = {
      .kernel =
          PerAxis(ctx, param, {"kernel_size", "kernel_h", "kernel_w", "kernel_depth"}, spatial, 0),
      .strides =
          PerAxis(ctx, param, {"stride", "stride_h", "stride_w", "temporal_stride"}, spatial, 1),
      .pads = PerAxis(ctx, param, {"pad", "pad_h", "pad_w", "temporal_pad"}, spatial, 0),
      .dilations = PerAxis(ctx, param, {"dilation", "dilation_h", "dilation_w", ""}, spatial, 1)};
  const auto check = [&](std::string_view what, IntList& values, std::int64_t least) {
    for (std::int64_t& value : values) {
      if (value >= least && value <= kMost) continue;
      ctx.Fail(InvalidModel("{} is {}; {} to {} is expected", what, value, least, kMost));
      value = least;
    }
  };
  check("the kernel", window.kernel, 1);
  check("the stride", window.strides, 1);
  check("the pad", window.pads, 0);
  check("the dilation", window.dilations, 1);
  return window;
}

}  // namespace athanor::caffe
