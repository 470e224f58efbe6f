// DynamicMatMul: bytes times constant bytes, where the scale of the first is known only when it
// runs, so that the sums become real numbers.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> DynamicProductKernels();

}  // namespace athanor::kernels
