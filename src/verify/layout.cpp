#include "verify/layout.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace athanor {
namespace {

constexpr std::size_t kLeastRank = 3, kMostRank = 5;  // of one picture, a stack, a stack of volumes

Axes Identity(std::size_t rank) {
  Axes axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

// Where the channels of a tensor stand that has them first: behind the batch, if it has one.
std::size_t FirstChannelAxis(std::size_t rank) { return rank == kLeastRank ? 0 : 1; }

Axes ChannelsLast(std::size_t rank) {
  Axes axes = Identity(rank);
  const auto channels = axes.begin() + static_cast<std::ptrdiff_t>(FirstChannelAxis(rank));
  std::rotate(channels, channels + 1, axes.end());
  return axes;
}

Axes ChannelsFirst(std::size_t rank) {
  Axes axes = Identity(rank);
  const auto channels = axes.begin() + static_cast<std::ptrdiff_t>(FirstChannelAxis(rank));
  std::rotate(channels, axes.end() - 1, axes.end());
  return axes;
}

bool Fits(const Dims& from, const Axes& axes, const Shape& to) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (to[i].IsConst() && to[i].value() != from[static_cast<std::size_t>(axes[i])]) return false;
  }
  return true;
}

}  // namespace

bool IsIdentity(const Axes& axes) { return axes == Identity(axes.size()); }

std::vector<Axes> LayoutsBetween(const Dims& from, const Shape& to) {
  std::vector<Axes> layouts;
  const std::size_t rank = from.size();
  if (rank != to.size()) return layouts;
  std::vector<Axes> tried = {Identity(rank)};
  if (rank >= kLeastRank && rank <= kMostRank) {
    tried.push_back(ChannelsLast(rank));
    tried.push_back(ChannelsFirst(rank));
  }
  std::copy_if(tried.begin(), tried.end(), std::back_inserter(layouts),
               [&](const Axes& axes) { return Fits(from, axes, to); });
  return layouts;
}

std::vector<std::int64_t> RowMajorStrides(const Dims& dims) {
  std::vector<std::int64_t> strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

Result<Tensor> Gathered(const Tensor& tensor, const Dims& dims,
                        const std::vector<std::int64_t>& strides) {
  if (tensor.dtype() == DType::kString)
    return Error(ErrorCode::kInvalidInput, "texts are kept as they are");
  ATH_TRY(Tensor result, Tensor::Allocate(tensor.dtype(), dims));
  const std::size_t size = ElementBytes(tensor.dtype());
  const auto* from = static_cast<const std::byte*>(tensor.raw());
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  Dims at(dims.size(), 0);
  for (std::int64_t i = 0; i < result.count(); ++i) {
    std::int64_t offset = 0;
    for (std::size_t k = 0; k < at.size(); ++k) offset += at[k] * strides[k];
    std::memcpy(to + static_cast<std::size_t>(i) * size,
                from + static_cast<std::size_t>(offset) * size, size);
    for (std::size_t k = at.size(); k-- > 0;) {
      if (++at[k] < dims[k]) break;
      at[k] = 0;
    }
  }
  return result;
}

Result<Tensor> Permuted(const Tensor& tensor, const Axes& axes) {
  ATH_CHECK(axes.size() == tensor.dims().size(), "there is one entry for each axis");
  const std::vector<std::int64_t> all = RowMajorStrides(tensor.dims());
  Dims dims;
  std::vector<std::int64_t> strides;
  for (const std::int64_t axis : axes) {
    dims.push_back(tensor.dim(axis));
    strides.push_back(all[static_cast<std::size_t>(axis)]);
  }
  return Gathered(tensor, dims, strides);
}

std::string LayoutText(const Axes& axes) {
  if (IsIdentity(axes)) return "as it is";
  return axes == ChannelsLast(axes.size()) ? "channels first -> last" : "channels last -> first";
}

Result<Datum> InLayoutOf(const Type& type, Datum datum, Axes& axes) {
  axes.clear();
  if (!datum.IsTensor() || !type.HasRank()) return datum;
  const std::vector<Axes> layouts = LayoutsBetween(datum.tensor().dims(), *type.shape);
  if (layouts.empty()) return datum;
  axes = layouts.front();
  if (IsIdentity(axes)) return datum;
  ATH_TRY(Tensor permuted, Permuted(datum.tensor(), axes));
  return Datum(std::move(permuted));
}

}  // namespace athanor
