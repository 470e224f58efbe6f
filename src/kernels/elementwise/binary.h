// Element-wise functions of two float tensors with broadcasting.
#pragma once

#include "kernels/elementwise/binary_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> BinaryKernels();

const BinaryTable& Binary(Isa isa);

// The value at input `through` is the first argument of the function, or the operator commutes;
// the other operand covers the result in one of the ways of EpilogueStep::Spread.
std::optional<EpilogueStep> BinaryEpilogue(const KernelQuery& query, std::size_t through);
BinaryF32 BinaryFunction(const EpilogueStep& step, Isa isa);

}  // namespace athanor::kernels
