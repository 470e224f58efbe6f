// What element-wise kernels cost.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Every input is read and the result is written once; `flops` for each of its elements, and those
// of the epilogue.
double ElementwiseNs(const KernelQuery& q, double flops);

}  // namespace athanor::kernels
