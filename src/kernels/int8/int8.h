// Kernels on 8-bit tensors: what the operators between Q and DQ run on. See ir/quantized.h.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Convolutions with constant weights as a matrix product over staged, interleaved channels.
std::vector<KernelDef> Int8ConvKernels();
// To channels in blocks.
std::vector<KernelDef> Int8BlockedConvKernels();
// Windows of 3 by 3 in blocks, by fewer products (ADR 0068).
std::vector<KernelDef> Int8WinogradKernels();
// Depthwise convolution, MaxPool, AveragePool and GlobalAveragePool on channels in blocks.
std::vector<KernelDef> Int8BlockedWindowKernels();
// One input channel per output channel.
std::vector<KernelDef> Int8DepthwiseKernels();
// Gemm and MatMul with a constant second matrix.
std::vector<KernelDef> Int8GemmKernels();
// Add, Sub and Mul of two tensors of one shape.
std::vector<KernelDef> Int8BinaryKernels();
// MaxPool, AveragePool, GlobalAveragePool.
std::vector<KernelDef> Int8PoolKernels();
// Resize of height and width.
std::vector<KernelDef> Int8ResizeKernels();
// Element-wise operators of one 8-bit tensor, as a table of 256 results.
std::vector<KernelDef> Int8LookupKernels();
// QuantizeLinear and DequantizeLinear with one scale.
std::vector<KernelDef> Int8ConvertKernels();
// DynamicQuantizeLinear; DequantizeLinear with scales that are computed or belong to an axis.
std::vector<KernelDef> DynamicQuantizeKernels();

}  // namespace athanor::kernels
