// Operators that only look at the same elements under another shape: they cost nothing.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> ViewKernels();

}  // namespace athanor::kernels
