#include "kernels/strides.h"

namespace athanor::kernels {

Dims RowMajorStrides(std::span<const std::int64_t> dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

Dims BroadcastStrides(const Dims& dims, const Dims& out) {
  const Dims own = RowMajorStrides(dims);
  Dims strides(out.size(), 0);
  const std::size_t skip = out.size() - dims.size();
  for (std::size_t i = 0; i < dims.size(); ++i) strides[skip + i] = dims[i] == 1 ? 0 : own[i];
  return strides;
}

void MergeDims(Dims& dims, std::span<Dims* const> strides) {
  Dims merged;
  std::vector<Dims> kept(strides.size());
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 1) continue;
    bool joins = !merged.empty();
    for (std::size_t k = 0; joins && k < strides.size(); ++k)
      joins = kept[k].back() == (*strides[k])[axis] * dims[axis];
    if (joins) {
      merged.back() *= dims[axis];
      for (std::size_t k = 0; k < strides.size(); ++k) kept[k].back() = (*strides[k])[axis];
      continue;
    }
    merged.push_back(dims[axis]);
    for (std::size_t k = 0; k < strides.size(); ++k) kept[k].push_back((*strides[k])[axis]);
  }
  if (merged.empty()) {
    merged.push_back(1);
    for (Dims& list : kept) list.push_back(0);
  }
  dims = std::move(merged);
  for (std::size_t k = 0; k < strides.size(); ++k) *strides[k] = std::move(kept[k]);
}

void Walk::Add(std::int64_t dim, std::int64_t stride) {
  dims.push_back(dim);
  strides.push_back(stride);
  count *= dim;
}

std::int64_t Walk::Offset(std::int64_t index) const {
  std::int64_t offset = 0;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    offset += index % dims[axis] * strides[axis];
    index /= dims[axis];
  }
  return offset;
}

AxisShape AxisShape::Of(std::span<const std::int64_t> dims, std::int64_t axis) {
  AxisShape shape;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    (at < axis ? shape.outer : at == axis ? shape.length : shape.inner) *= dims[i];
  }
  return shape;
}

}  // namespace athanor::kernels
