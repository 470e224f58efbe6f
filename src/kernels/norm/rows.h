// Softmax, LayerNormalization and RMSNormalization of floats over the last axes.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> RowKernels();

}  // namespace athanor::kernels
