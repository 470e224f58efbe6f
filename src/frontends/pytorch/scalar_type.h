// Element types under PyTorch's three numberings of them.
#pragma once

#include <string_view>

#include "core/dtype.h"

namespace athanor::pytorch {

// As operators and scripts say them: 6 is float.
Result<DType> DTypeOfScalarType(std::int64_t number);
// The number back; -1 for a type that PyTorch has not.
std::int64_t ScalarTypeOf(DType dtype);
// As exported programs say them: 7 is float.
Result<DType> DTypeOfExported(std::int64_t number);
// As pickles say them: "FloatStorage" or "float32"; without a type: kUndefined.
DType DTypeOfName(std::string_view name);

}  // namespace athanor::pytorch
