#include "frontends/nhwc/window.h"

#include <algorithm>

namespace athanor::nhwc {
namespace {

using Ints = std::vector<std::int64_t>;

Status CheckAxis(const WindowAxis& axis) {
  constexpr std::int64_t kLargest = 1 << 20;
  for (const std::int64_t value : {axis.stride, axis.dilation, axis.kernel}) {
    if (value < 1 || value > kLargest)
      return InvalidModel("a window has a stride, dilation or size of {}; 1 to {} is expected",
                          value, kLargest);
  }
  return {};
}

}  // namespace

Result<AttrMap> WindowAttributes(const Type& picture, bool is_same,
                                 std::span<const WindowAxis> axes) {
  Ints strides, pads(2 * axes.size(), 0);
  for (const WindowAxis& axis : axes) {
    ATH_RETURN_IF_ERROR(CheckAxis(axis));
    strides.push_back(axis.stride);
  }
  AttrMap attributes = {{"strides", strides}};
  if (!is_same) return attributes;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& axis = axes[i];
    const Dim size = picture.HasRank() ? picture.dim(static_cast<std::int64_t>(i) + 2) : Dim();
    if (!size.IsConst()) {
      attributes.Set("auto_pad", std::string("SAME_UPPER"));
      return attributes;
    }
    const std::int64_t outputs = (size.value() + axis.stride - 1) / axis.stride;
    const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
    const std::int64_t total =
        std::max<std::int64_t>((outputs - 1) * axis.stride + reach - size.value(), 0);
    pads[i] = total / 2;
    pads[i + axes.size()] = total - total / 2;
  }
  attributes.Set("pads", pads);
  return attributes;
}

Ints ChannelsFirst(std::size_t rank) {
  if (rank < 3) return {};
  Ints perm = {0, static_cast<std::int64_t>(rank) - 1};
  for (std::size_t axis = 1; axis + 1 < rank; ++axis)
    perm.push_back(static_cast<std::int64_t>(axis));
  return perm;
}

Ints ChannelsLast(std::size_t rank) {
  if (rank < 3) return {};
  Ints perm = {0};
  for (std::size_t axis = 2; axis < rank; ++axis) perm.push_back(static_cast<std::int64_t>(axis));
  perm.push_back(1);
  return perm;
}

}  // namespace athanor::nhwc
