// What operators along some axes of a tensor share: which axes, and where their elements lie.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/op_def.h"

namespace athanor::ops {

// The shape after `axes` (normalised) are reduced: 1 where kept, else gone.
Shape ReducedShape(const Shape& shape, std::span<const std::int64_t> axes, bool keepdims);

// Offsets, in elements, of every combination of indices below `dims` with the given strides, in
// row-major order.
std::vector<std::int64_t> Offsets(const Dims& dims, const Dims& strides);

// A tensor seen along one axis: element (i, j, k) is at (i * length + j) * inner + k.
struct AxisView {
  std::int64_t outer = 1;
  std::int64_t length = 1;
  std::int64_t inner = 1;
};
// `axis` is normalised.
AxisView AlongAxis(const Dims& dims, std::int64_t axis);

// For inference: fails when the axis is outside a known rank.
Status ExpectAxis(const InferCtx& ctx, std::size_t input, std::int64_t axis);

}  // namespace athanor::ops
