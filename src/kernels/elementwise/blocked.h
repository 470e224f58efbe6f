// Element-wise operators on channels in blocks.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> BlockedElementwiseKernels();

}  // namespace athanor::kernels
