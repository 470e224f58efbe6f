// TreeEnsemble: blocks of rows against one tree after the other.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> ForestKernels();

}  // namespace athanor::kernels
