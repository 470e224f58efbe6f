// Elements of tensors in JSON. Includes simdjson: only for the files that parse.
#pragma once

#include <simdjson.h>

#include "core/tensor.h"

namespace athanor::serve {

// Deeper documents are refused.
inline constexpr std::size_t kMostJsonDepth = 64;

// The document stays valid as long as the parser.
Result<simdjson::dom::element> ParseJson(simdjson::dom::parser& parser, std::string_view text);

// Nested or flat arrays in row-major order; their number is checked against the shape.
Result<Tensor> TensorFromJson(DType dtype, Dims shape, simdjson::dom::element data);

Result<Dims> ShapeFromJson(simdjson::dom::element shape);

}  // namespace athanor::serve
