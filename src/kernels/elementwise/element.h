// Element-wise operators on integers, bools and mixed types: arithmetic, comparisons, logic, Where.
#pragma once

#include "kernels/elementwise/element_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> ElementKernels();
// Shrink of integers.
std::vector<KernelDef> ShrinkKernels();

// The function of an operator's plain form ("Max") for elements of a type; nullptr: none.
ElementFn ElementFunction(std::string_view op, DType dtype, Isa isa);

}  // namespace athanor::kernels
