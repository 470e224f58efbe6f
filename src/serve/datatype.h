// Element types and raw tensor bytes as the Open Inference Protocol (v2) writes them.
#pragma once

#include <span>

#include "core/tensor.h"

namespace athanor::serve {

// "FP32", "INT64", "BYTES", ...; "" for a type the protocol does not have.
std::string_view ToV2(DType dtype);
// Nothing for an unknown name.
std::optional<DType> FromV2(std::string_view name);
// "BOOL, UINT8, ..."
std::string AllV2Names();

// Elements of a shape that came over the network: not negative, not more than memory can hold.
Result<std::int64_t> CountElements(std::span<const std::int64_t> shape);

// A tensor of little-endian bytes; strings stand each behind its length in 4 bytes. Bytes that are
// aligned are viewed and `owner` is kept, others are copied.
Result<Tensor> TensorFromBytes(DType dtype, Dims shape, std::span<const std::byte> bytes,
                               const std::shared_ptr<const void>& owner);
// Bytes that AppendBytes adds.
std::size_t BytesOf(const Tensor& tensor);
void AppendBytes(const Tensor& tensor, std::string& text);

}  // namespace athanor::serve
