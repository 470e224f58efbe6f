#include "ops/nn/window.h"

#include <algorithm>

#include "core/checked.h"

namespace athanor::ops {
namespace {

// Keeps every product of two attribute values, and its sum with an input size, inside 63 bits.
constexpr std::int64_t kMaxValue = (std::int64_t{1} << 31) - 1;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;

Result<std::vector<std::int64_t>> Values(std::string_view name, std::span<const std::int64_t> given,
                                         std::size_t count, std::int64_t otherwise) {
  if (given.empty()) return std::vector<std::int64_t>(count, otherwise);
  if (given.size() != count) {
    return InvalidModel("{} has {} values; {} are expected", name, given.size(), count);
  }
  for (const std::int64_t value : given) {
    if (value < otherwise || value > kMaxValue) {
      return InvalidModel("{} is {}; each value must be in [{}, {}]", name, ToString(given),
                          otherwise, kMaxValue);
    }
  }
  return std::vector<std::int64_t>(given.begin(), given.end());
}

Status TooLarge(std::int64_t extent, std::size_t axis, std::int64_t padded) {
  return InvalidModel("spatial axis {}: the window spans {} elements, the padded input has {}",
                      axis, extent, padded);
}

template <std::int64_t WindowAxis::*kField>
std::int64_t Product(std::span<const WindowAxis> axes) {
  std::int64_t count = 1;
  for (const WindowAxis& axis : axes) count *= axis.*kField;
  return count;
}

}  // namespace

Result<AutoPad> ParseAutoPad(std::string_view text) {
  if (text.empty() || text == "NOTSET") return AutoPad::kNotSet;
  if (text == "VALID") return AutoPad::kValid;
  if (text == "SAME_UPPER") return AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return AutoPad::kSameLower;
  return InvalidModel("auto_pad is \"{}\"; NOTSET, VALID, SAME_UPPER or SAME_LOWER is expected",
                      text);
}

Result<WindowSpec> MakeWindow(std::span<const std::int64_t> kernel,
                              std::span<const std::int64_t> strides,
                              std::span<const std::int64_t> dilations,
                              std::span<const std::int64_t> pads, std::string_view auto_pad,
                              bool ceil_mode) {
  const std::size_t rank = kernel.size();
  WindowSpec spec = {.ceil_mode = ceil_mode};
  ATH_TRY(spec.kernel, Values("kernel_shape", kernel, rank, 1));
  ATH_TRY(spec.strides, Values("strides", strides, rank, 1));
  ATH_TRY(spec.dilations, Values("dilations", dilations, rank, 1));
  ATH_TRY(spec.auto_pad, ParseAutoPad(auto_pad));
  if (spec.auto_pad == AutoPad::kNotSet) {
    ATH_TRY(const std::vector<std::int64_t> both, Values("pads", pads, 2 * rank, 0));
    const auto middle = both.begin() + static_cast<std::ptrdiff_t>(rank);
    spec.pad_begin.assign(both.begin(), middle);
    spec.pad_end.assign(middle, both.end());
  } else {
    spec.pad_begin.assign(rank, 0);
    spec.pad_end.assign(rank, 0);
  }
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (spec.Extent(axis) > kMaxExtent) {
      return InvalidModel("spatial axis {}: a window of {} elements is too large", axis,
                          spec.Extent(axis));
    }
  }
  return spec;
}

std::int64_t WindowAxis::FirstTap(std::int64_t o) const {
  const std::int64_t start = o * stride - pad_begin;
  return start >= 0 ? 0 : std::min(kernel, (-start + dilation - 1) / dilation);
}

std::int64_t WindowAxis::LastTap(std::int64_t o) const {
  const std::int64_t left = in - (o * stride - pad_begin);
  return left <= 0 ? 0 : std::min(kernel, (left + dilation - 1) / dilation);
}

Result<WindowAxis> ResolveAxis(const WindowSpec& spec, std::size_t axis, std::int64_t in) {
  if (in < 0 || in > kMaxExtent) {
    return InvalidModel("spatial axis {}: an input of {} elements is too large", axis, in);
  }
  WindowAxis window = {.in = in,
                       .kernel = spec.kernel[axis],
                       .stride = spec.strides[axis],
                       .dilation = spec.dilations[axis],
                       .pad_begin = spec.pad_begin[axis],
                       .pad_end = spec.pad_end[axis]};
  const std::int64_t extent = spec.Extent(axis);
  if (spec.auto_pad == AutoPad::kSameUpper || spec.auto_pad == AutoPad::kSameLower) {
    window.out = (in + window.stride - 1) / window.stride;
    const std::int64_t padding =
        std::max<std::int64_t>(0, (window.out - 1) * window.stride + extent - in);
    window.pad_begin = spec.auto_pad == AutoPad::kSameUpper ? padding / 2 : padding - padding / 2;
    window.pad_end = padding - window.pad_begin;
    return window;
  }
  const std::int64_t padded = in + window.pad_begin + window.pad_end;
  if (padded < extent) return TooLarge(extent, axis, padded);
  const bool ceil = spec.ceil_mode && spec.auto_pad == AutoPad::kNotSet;
  window.out = (padded - extent + (ceil ? window.stride - 1 : 0)) / window.stride + 1;
  // A last window that would begin in the padding at the end does not count.
  if (ceil && (window.out - 1) * window.stride >= in + window.pad_begin) --window.out;
  return window;
}

Result<std::vector<WindowAxis>> ResolveWindow(const WindowSpec& spec,
                                              std::span<const std::int64_t> in) {
  std::vector<WindowAxis> axes;
  for (std::size_t axis = 0; axis < spec.rank(); ++axis) {
    ATH_TRY(const WindowAxis window, ResolveAxis(spec, axis, in[axis]));
    axes.push_back(window);
  }
  return axes;
}

Result<Dim> WindowOutput(const WindowSpec& spec, std::size_t axis, const Dim& in) {
  if (in.IsConst()) {
    ATH_TRY(const WindowAxis window, ResolveAxis(spec, axis, in.value()));
    return Dim(window.out);
  }
  const std::int64_t stride = spec.strides[axis], extent = spec.Extent(axis);
  if (spec.auto_pad == AutoPad::kSameUpper || spec.auto_pad == AutoPad::kSameLower) {
    return CeilDiv(in, stride);
  }
  const Dim slack = in + Dim(spec.pad_begin[axis] + spec.pad_end[axis] - extent);
  if (!spec.ceil_mode || spec.auto_pad == AutoPad::kValid) return FloorDiv(slack, stride) + Dim(1);
  // Whether the last window begins in the padding depends on the size, unless it never can.
  if (extent < stride + spec.pad_end[axis]) return Dim::Unknown();
  return CeilDiv(slack, stride) + Dim(1);
}

void TapOffsets(std::span<const WindowAxis> axes, std::int64_t first, std::int64_t width,
                std::vector<std::int64_t>& table) {
  const std::int64_t taps = TapCount(axes), count = OutCount(axes);
  table.assign(static_cast<std::size_t>(taps * width), -1);
  for (std::int64_t j = 0; j < width && first + j < count; ++j) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      std::int64_t o = first + j, k = tap, scale = 1, offset = 0;
      for (std::size_t a = axes.size(); a-- > 0;) {
        const std::int64_t position = axes[a].Position(o % axes[a].out, k % axes[a].kernel);
        if (!axes[a].Inside(position)) {
          offset = -1;
          break;
        }
        offset += position * scale;
        scale *= axes[a].in;
        o /= axes[a].out;
        k /= axes[a].kernel;
      }
      table[static_cast<std::size_t>(tap * width + j)] = offset;
    }
  }
}

std::int64_t InCount(std::span<const WindowAxis> axes) { return Product<&WindowAxis::in>(axes); }
std::int64_t OutCount(std::span<const WindowAxis> axes) { return Product<&WindowAxis::out>(axes); }
std::int64_t TapCount(std::span<const WindowAxis> axes) {
  return Product<&WindowAxis::kernel>(axes);
}

}  // namespace athanor::ops
