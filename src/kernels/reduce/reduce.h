// Reductions over any axes, and ArgMax, ArgMin, CumSum, CumProd, TopK along one.
#pragma once

#include "kernels/kernel.h"
#include "kernels/reduce/reduce_table.h"

namespace athanor::kernels {

std::vector<KernelDef> ReduceKernels();
std::vector<KernelDef> AlongAxisKernels();
std::vector<KernelDef> RealOfIntKernels();
std::vector<KernelDef> TopKKernels();

const FoldTable& Folds(Isa isa);

// Per axis of input 0 whether a reduction folds it; nothing when the model computes the axes.
std::optional<std::vector<bool>> ReducedAxes(const KernelQuery& q);

}  // namespace athanor::kernels
