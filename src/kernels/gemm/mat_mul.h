// MatMul and Gemm, and determinants.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> DetKernels();
std::vector<KernelDef> MatMulKernels();
std::vector<KernelDef> IntMatMulKernels();
// Of weights that stay bytes or nibbles: DequantizedMatMul.
std::vector<KernelDef> WeightKernels();

}  // namespace athanor::kernels
