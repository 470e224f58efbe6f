// MatMul and Gemm, and determinants.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> DetKernels();
std::vector<KernelDef> MatMulKernels();
std::vector<KernelDef> IntMatMulKernels();

}  // namespace athanor::kernels
