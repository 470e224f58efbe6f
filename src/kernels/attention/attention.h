// Attention with the softmax computed block by block, and RotaryEmbedding.
#pragma once

#include "kernels/attention/rows_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> AttentionKernels();
std::vector<KernelDef> RotaryKernels();

const AttentionTable& AttentionRows(Isa isa);

}  // namespace athanor::kernels
