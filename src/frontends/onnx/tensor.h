// TensorProto -> Tensor. Weights stay where the mapped file has them whenever alignment allows.
#pragma once

#include "core/datum.h"
#include "frontends/onnx/schema.h"
#include "ir/type.h"

namespace athanor::onnx {

// ONNX TensorProto.DataType <-> DType. Nothing for numbers we do not know.
std::optional<DType> DTypeFromOnnx(std::int32_t data_type);
std::int32_t OnnxFromDType(DType dtype);

// Where tensor bytes may live.
struct TensorSource {
  std::shared_ptr<const void> owner;  // keeps the parsed bytes alive
  std::string folder;  // of external data; "" when the model did not come from a folder
};

Result<Tensor> ReadTensor(const TensorProto& proto, const TensorSource& source);
Result<Tensor> ReadSparseTensor(const SparseTensorProto& proto, const TensorSource& source);
Result<Datum> ReadSequence(const SequenceProto& proto, const TensorSource& source);
Result<Datum> ReadOptional(const OptionalProto& proto, const TensorSource& source);

// Symbolic names become symbols; dims without either are unknown.
Result<Type> ReadType(const TypeProto& proto);

}  // namespace athanor::onnx
