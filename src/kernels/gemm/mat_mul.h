// MatMul and Gemm on floats.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> MatMulKernels();
std::vector<KernelDef> IntMatMulKernels();

}  // namespace athanor::kernels
