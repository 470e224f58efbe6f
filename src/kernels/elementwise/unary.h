// Element-wise functions of one float tensor, as kernels of their own and as epilogues of others.
#pragma once

#include "kernels/elementwise/unary_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> UnaryKernels();

const UnaryTable& Unary(Isa isa);

// Nothing when the operator is not one of these or its parameters are not known.
std::optional<EpilogueStep> UnaryEpilogue(const KernelQuery& query, std::size_t through);
// The rough cost of one element in a step of kind kUnary.
double UnaryFlops(const EpilogueStep& step);
// The function of a step of kind kUnary.
UnaryF32 UnaryFunction(const EpilogueStep& step, Isa isa);

}  // namespace athanor::kernels
