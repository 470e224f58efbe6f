// Results whose size depends on the data: Compress, NonZero, Unique.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> SelectKernels();

}  // namespace athanor::kernels
