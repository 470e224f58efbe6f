// Normalisation of floats: rows (LayerNormalization, RMSNormalization), along an axis (Softmax,
// LogSoftmax, Hardmax, LpNormalization), over channels (BatchNormalization, GroupNormalization,
// InstanceNormalization, MeanVarianceNormalization, LRN). And the losses.
#pragma once

#include "kernels/kernel.h"
#include "kernels/norm/rows_table.h"

namespace athanor::kernels {

std::vector<KernelDef> RowKernels();
std::vector<KernelDef> SoftmaxKernels();
std::vector<KernelDef> ChannelNormKernels();
std::vector<KernelDef> LossKernels();

const RowTable& Rows(Isa isa);

}  // namespace athanor::kernels
