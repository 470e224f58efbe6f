// Reductions over any axes, and ArgMax, ArgMin, CumSum, CumProd along one.
#pragma once

#include "kernels/kernel.h"
#include "kernels/reduce/reduce_table.h"

namespace athanor::kernels {

std::vector<KernelDef> ReduceKernels();
std::vector<KernelDef> AlongAxisKernels();

const FoldTable& Folds(Isa isa);

}  // namespace athanor::kernels
