// Windows of formats that say SAME or VALID instead of numbers: TensorFlow, TensorFlow Lite, Keras.
#pragma once

#include <cstdint>
#include <span>

#include "ir/graph.h"

namespace athanor::nhwc {

struct WindowAxis {
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t kernel = 1;
};

// The attributes `strides` and `pads` of a window that moves over [n, c, sizes...]. SAME becomes
// numbers where the sizes are known: as much padding as gives ceil(size / stride) positions, the
// odd one at the end (tensorflow.org/api_docs/python/tf/nn, "Notes on padding").
Result<AttrMap> WindowAttributes(const Type& picture, bool is_same,
                                 std::span<const WindowAxis> axes);

// NHWC to NCHW and back for any number of axes; empty below 3.
std::vector<std::int64_t> ChannelsFirst(std::size_t rank);
std::vector<std::int64_t> ChannelsLast(std::size_t rank);

}  // namespace athanor::nhwc
