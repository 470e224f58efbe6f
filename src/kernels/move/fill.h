// Tensors made from little, or with a border: ConstantOfShape, EyeLike, OneHot, Pad of every mode,
// Range, Trilu.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> FillKernels();

}  // namespace athanor::kernels
