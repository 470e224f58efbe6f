// The names of element types in an OpenVINO network.
#pragma once

#include <optional>
#include <string_view>

#include "core/dtype.h"

namespace athanor::openvino {

// "f32", "boolean"; nothing for one that is not read.
std::optional<DType> DTypeOf(std::string_view name);
// "" for a type that such a network cannot hold.
std::string_view ElementTypeOf(DType dtype);
// "FP32", "BOOL", as ports call it; "" likewise.
std::string_view PrecisionOf(DType dtype);

}  // namespace athanor::openvino
