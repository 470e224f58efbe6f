#include "ops/math/axes.h"

#include <algorithm>

#include "core/checked.h"
#include "ops/broadcast.h"

namespace athanor::ops {

Shape ReducedShape(const Shape& shape, std::span<const std::int64_t> axes, bool keepdims) {
  Shape out;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool reduced =
        std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
    if (!reduced) {
      out.push_back(shape[i]);
    } else if (keepdims) {
      out.emplace_back(1);
    }
  }
  return out;
}

std::vector<std::int64_t> Offsets(const Dims& dims, const Dims& strides) {
  std::vector<std::int64_t> offsets;
  const std::int64_t count = *CheckedCount(dims);
  if (count == 0) return offsets;
  offsets.reserve(static_cast<std::size_t>(count));
  offsets.push_back(0);
  // Each axis multiplies what stands there already.
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    const std::size_t before = offsets.size();
    for (std::int64_t i = 1; i < dims[axis]; ++i) {
      for (std::size_t k = 0; k < before; ++k) offsets.push_back(offsets[k] + i * strides[axis]);
    }
  }
  return offsets;
}

AxisView AlongAxis(const Dims& dims, std::int64_t axis) {
  const auto at = dims.begin() + axis;
  // Nothing to visit: the other dimensions may be as large as they like.
  if (*CheckedCount(dims) == 0) return {0, *at, 0};
  return {*CheckedCount(std::span(dims.begin(), at)), *at,
          *CheckedCount(std::span(at + 1, dims.end()))};
}

Status ExpectAxis(const InferCtx& ctx, std::size_t input, std::int64_t axis) {
  if (!ctx.In(input).HasRank()) return {};
  return NormalizeAxis(axis, ctx.In(input).rank()).status();
}

}  // namespace athanor::ops
