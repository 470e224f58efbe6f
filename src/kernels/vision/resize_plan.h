// Which elements of one axis a resized tensor is made of, as kernels want to know it.
#pragma once

#include <optional>

#include "kernels/kernel.h"
#include "kernels/strides.h"
#include "ops/nn/resize.h"

namespace athanor::kernels {

inline constexpr std::size_t kMostResizeTaps = 64;

// Nothing when a size is computed by the model, or the coordinates are of a crop.
std::optional<std::vector<ops::ResizeAxis>> ResizePlan(const KernelQuery& q);
// That there is such a plan, of at most so many taps; in blocks only of height and width.
Fit FitsResizePlan(const KernelQuery& q);

// One axis, with the taps that count: tap t of output o at [t * out + o].
struct ResizePass {
  AxisShape shape = {};  // of its input
  std::int64_t out = 0;
  std::size_t taps = 0;
  std::vector<std::int32_t> index = {};
  std::vector<float> weight = {};
};

// Taps without weight are left out where every output has one.
ResizePass MakeResizePass(const ops::ResizeAxis& axis, const Dims& dims);

}  // namespace athanor::kernels
