// TensorProto -> Tensor. Weights stay where the mapped file has them whenever alignment allows.
#pragma once

#include <map>

#include "core/datum.h"
#include "core/file.h"
#include "frontends/aligned_copy.h"
#include "frontends/onnx/schema.h"
#include "ir/type.h"

namespace athanor::onnx {

// ONNX TensorProto.DataType <-> DType. Nothing for numbers we do not know.
std::optional<DType> DTypeFromOnnx(std::int32_t data_type);
std::int32_t OnnxFromDType(DType dtype);

struct ExternalFile {
  std::shared_ptr<const MappedFile> file = {};
  // Left for tensors that cannot stay in place: many may name the same bytes.
  std::uint64_t copy_bytes = 0;
};

// What reading the tensors of one model shares.
struct SourceState {
  std::map<std::string, ExternalFile> files = {};  // external data, by path
  // Left for making sparse tensors dense: a few bytes of file must not claim gigabytes.
  std::int64_t dense_bytes = std::int64_t{1} << 30;
  AlignedCopies copies = {};
};

// Where tensor bytes may live.
struct TensorSource {
  std::shared_ptr<const void> owner = {};  // keeps the parsed bytes alive
  std::string folder = {};  // of external data; "" when the model did not come from a folder
  std::shared_ptr<SourceState> state = std::make_shared<SourceState>();
};

Result<Tensor> ReadTensor(const TensorProto& proto, const TensorSource& source);
Result<Tensor> ReadSparseTensor(const SparseTensorProto& proto, const TensorSource& source);
Result<Datum> ReadSequence(const SequenceProto& proto, const TensorSource& source);
Result<Datum> ReadOptional(const OptionalProto& proto, const TensorSource& source);

// Symbolic names become symbols; dims without either are unknown.
Result<Type> ReadType(const TypeProto& proto);

}  // namespace athanor::onnx
