// The same numbers in another order of axes: channels first (NCHW) and channels last (NHWC).
#pragma once

#include <string>
#include <vector>

#include "ir/type.h"

namespace athanor {

// to[i] is axis axes[i] of `from`.
using Axes = std::vector<std::int64_t>;

// The orders of axes in which a tensor of dimensions `from` has those of `to`, likeliest first: as
// it is, channels last, channels first (ranks 3 to 5). Dimensions of `to` that are not numbers fit
// any. Empty when none fits.
std::vector<Axes> LayoutsBetween(const Dims& from, const Shape& to);

bool IsIdentity(const Axes& axes);

// How many elements lie between neighbours along each axis.
std::vector<std::int64_t> RowMajorStrides(const Dims& dims);

// A tensor of its own memory with the elements at these places: the one at index i is that of
// `tensor` at the sum of i[k] * strides[k], which lies inside. Any type but strings.
Result<Tensor> Gathered(const Tensor& tensor, const Dims& dims,
                        const std::vector<std::int64_t>& strides);

// A tensor of its own memory with the axes in another order; any type but strings.
Result<Tensor> Permuted(const Tensor& tensor, const Axes& axes);

// What `axes` does to pictures: "channels first -> last".
std::string LayoutText(const Axes& axes);

// One input or output that a model takes or gives in another layout than the other model does.
struct LayoutChange {
  std::string name;
  Axes axes;
};

// The tensor in the layout that `type` asks for; as it is where it fits or nothing does. `axes`
// says which it was.
Result<Datum> InLayoutOf(const Type& type, Datum datum, Axes& axes);

}  // namespace athanor
