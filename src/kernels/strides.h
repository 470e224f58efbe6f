// Arithmetic on shapes and strides that kernels do at planning time.
#pragma once

#include <array>
#include <span>

#include "core/tensor.h"

namespace athanor::kernels {

// Row-major strides in elements.
Dims RowMajorStrides(std::span<const std::int64_t> dims);

// Strides of `dims` seen as a tensor of shape `out`: 0 where it is repeated.
Dims BroadcastStrides(const Dims& dims, const Dims& out);

// Drops dimensions of 1 and merges neighbours that every stride list walks as one. The row-major
// tensor of shape `dims` is one of the walkers. At least one dimension is left.
void MergeDims(Dims& dims, std::span<Dims* const> strides);

// Some dimensions of a tensor, walked in row-major order. Strides in elements.
struct Walk {
  static constexpr std::size_t kMostDims = 16;
  Dims dims, strides;
  std::int64_t count = 1;

  void Add(std::int64_t dim, std::int64_t stride);
  // Of the index-th element of the walk.
  std::int64_t Offset(std::int64_t index) const;

  // Calls f(offset) for every element of the walk. At most kMostDims dimensions.
  template <class F>
  void Each(const F& f) const {
    std::array<std::int64_t, kMostDims> index = {};
    std::int64_t offset = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      f(offset);
      for (std::size_t axis = dims.size(); axis-- > 0;) {
        offset += strides[axis];
        if (++index[axis] < dims[axis]) break;
        offset -= dims[axis] * strides[axis];
        index[axis] = 0;
      }
    }
  }
};

// A tensor seen along one axis: element (i, j, k) is at (i * length + j) * inner + k.
struct AxisShape {
  std::int64_t outer = 1, length = 1, inner = 1;

  static AxisShape Of(std::span<const std::int64_t> dims, std::int64_t axis);
};

}  // namespace athanor::kernels
