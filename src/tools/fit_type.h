// Arrays from files often have a near type: float64 from NumPy where a network reads float32.
#pragma once

#include "ir/type.h"

namespace athanor::tools {

// "float32" for f32; "" where NumPy has no such type.
std::string NumPyName(DType dtype);

// The tensor in the type's element type: floats to floats, integers to integers that hold every
// value. Anything else is an error that says how to convert.
Result<Tensor> FitType(const Tensor& tensor, const Type& type);

}  // namespace athanor::tools
