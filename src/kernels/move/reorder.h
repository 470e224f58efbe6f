// Between row-major tensors and channels in blocks.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> ReorderKernels();

}  // namespace athanor::kernels
