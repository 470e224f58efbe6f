// A convolution or pooling seen as two-dimensional; one axis is an image of one row.
#pragma once

#include "kernels/kernel.h"
#include "ops/nn/conv.h"
#include "ops/nn/pool.h"

namespace athanor::kernels {

struct Spatial2d {
  ops::ConvGeometry conv;  // of a convolution
  ops::WindowAxis h, w;

  // Nothing when there are more axes or sizes do not fit 32-bit offsets.
  static std::optional<Spatial2d> From(const KernelQuery& query);      // of a convolution
  static std::optional<Spatial2d> FromPool(const KernelQuery& query);  // `conv` stays empty
  static std::optional<Spatial2d> FromAxes(const std::vector<ops::WindowAxis>& axes);
};

}  // namespace athanor::kernels
