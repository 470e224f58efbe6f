// Kernels that multiply bfloat16 numbers and add in f32: of f32 tensors, whose data they round on
// the way in, with weights that were rounded when they were packed. They fit where
// KernelQuery::precision allows it.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Convolutions without groups on channels in blocks.
std::vector<KernelDef> Bf16ConvKernels();
// Those with windows of 3 by 3 and stride 1, with fewer products.
std::vector<KernelDef> Bf16WinogradKernels();
// Gemm and MatMul with a constant second matrix.
std::vector<KernelDef> Bf16MatMulKernels();

namespace bf16 {

// Whether the query allows it and the machine has it; the reason why not.
Fit Allowed(const KernelQuery& query);

// How many times as many multiply-adds this processor does in bf16 dot products as in f32. Measured
// once; only where HasBf16.
double Speed();

// Multiply-adds of products per nanosecond and core, as estimates take it.
double MultiplyAddsPerNs(const KernelQuery& query);

// Two floats, rounded, as the pair that a dot product takes.
std::uint32_t PairOf(float first, float second);

}  // namespace bf16
}  // namespace athanor::kernels
