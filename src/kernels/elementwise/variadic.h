// Max, Mean, Min and Sum of any number of operands.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> VariadicKernels();

}  // namespace athanor::kernels
