// Operators that only move elements of any type: Transpose, Concat, Split, Slice, Expand.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> CopyKernels();

}  // namespace athanor::kernels
