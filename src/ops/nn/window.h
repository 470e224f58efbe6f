// Sliding windows: where convolutions and pooling look, and how large their outputs are.
//
// A WindowSpec is what a model says (attributes, defaults filled in); a WindowAxis is what follows
// for one axis once the input size is a number. Sizes that are still symbols stay expressions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/op_def.h"

namespace athanor::ops {

enum class AutoPad : std::uint8_t { kNotSet, kValid, kSameUpper, kSameLower };

Result<AutoPad> ParseAutoPad(std::string_view text);

struct WindowSpec {
  std::vector<std::int64_t> kernel = {};     // one per spatial axis, like all others
  std::vector<std::int64_t> strides = {};    // 1 or more
  std::vector<std::int64_t> dilations = {};  // 1 or more
  std::vector<std::int64_t> pad_begin = {};  // 0 or more; of no meaning with auto padding
  std::vector<std::int64_t> pad_end = {};
  AutoPad auto_pad = AutoPad::kNotSet;
  bool ceil_mode = false;

  std::size_t rank() const { return kernel.size(); }
  // The extent from the first to the last tap.
  std::int64_t Extent(std::size_t axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
};

// Empty lists take their defaults. Fails on lengths other than the number of axes (twice that for
// pads), on a kernel, stride or dilation below 1, on negative padding and on values beyond 2^31.
Result<WindowSpec> MakeWindow(std::span<const std::int64_t> kernel,
                              std::span<const std::int64_t> strides,
                              std::span<const std::int64_t> dilations,
                              std::span<const std::int64_t> pads, std::string_view auto_pad,
                              bool ceil_mode = false);

// One axis with everything resolved. Output position o, tap k reads input position
// o * stride + k * dilation - pad_begin, which is padding when outside [0, in).
struct WindowAxis {
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;

  std::int64_t Position(std::int64_t o, std::int64_t k) const {
    return o * stride + k * dilation - pad_begin;
  }
  bool Inside(std::int64_t position) const { return position >= 0 && position < in; }
  // Taps [first, last) of output position o that are inside the input; computed, not searched, so
  // that a kernel far larger than the input costs nothing.
  std::int64_t FirstTap(std::int64_t o) const;
  std::int64_t LastTap(std::int64_t o) const;
};

// Fails when the window is larger than the padded input.
Result<WindowAxis> ResolveAxis(const WindowSpec& spec, std::size_t axis, std::int64_t in);
// `in` are the spatial dimensions only; their number must be spec.rank().
Result<std::vector<WindowAxis>> ResolveWindow(const WindowSpec& spec,
                                              std::span<const std::int64_t> in);
// The output size for an input size that may be an expression.
Result<Dim> WindowOutput(const WindowSpec& spec, std::size_t axis, const Dim& in);

// For every output position (flattened) in [first, first + width) and every tap: the offset into
// the flattened spatial input, or -1 in the padding or beyond the last position.
// table[tap * width + position].
void TapOffsets(std::span<const WindowAxis> axes, std::int64_t first, std::int64_t width,
                std::vector<std::int64_t>& table);

std::int64_t InCount(std::span<const WindowAxis> axes);
std::int64_t OutCount(std::span<const WindowAxis> axes);
std::int64_t TapCount(std::span<const WindowAxis> axes);

}  // namespace athanor::ops
