// Reductions over any axes, and ArgMax, ArgMin, CumSum, CumProd, TopK along one.
#pragma once

#include "kernels/kernel.h"
#include "kernels/reduce/reduce_table.h"

namespace athanor::kernels {

std::vector<KernelDef> ReduceKernels();
std::vector<KernelDef> AlongAxisKernels();
std::vector<KernelDef> TopKKernels();

const FoldTable& Folds(Isa isa);

}  // namespace athanor::kernels
