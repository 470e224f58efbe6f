// Convolutions of floats, and Col2Im. Constant weights are packed once, computed ones in every run.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// As a matrix product over an implicit patch matrix: any window, stride, dilation and group.
std::vector<KernelDef> ConvGemmKernels();
// Directly on channels in blocks: any window, stride and dilation. The input may be row-major when
// it has few channels, as pictures do.
std::vector<KernelDef> DirectConvKernels();
// Transposed: a matrix product, whose columns are added to the result. Any window and group.
std::vector<KernelDef> ConvTransposeKernels();
// With taps that an input moves: up to three spatial axes.
std::vector<KernelDef> DeformConvKernels();
std::vector<KernelDef> Col2ImKernels();
// With fewer multiplications and larger rounding errors, windows of 3 by 3 with stride 1.
std::vector<KernelDef> WinogradKernels();
// One input channel per output channel, computed directly.
std::vector<KernelDef> DepthwiseKernels();

}  // namespace athanor::kernels
