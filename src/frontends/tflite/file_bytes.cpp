// The bytes of a TFLite file: a flatbuffer, and behind it the weights that are too large for one.
#include <algorithm>
#include <limits>

#include "core/checked.h"
#include "frontends/tflite/file_export.h"
#include "frontends/tflite/tensor_type.h"

namespace athanor::tflite {
namespace {

constexpr std::size_t kAlignment = 16;  // of weights, as the schema of TFLite asks

using flatbuffers::FlatBufferBuilder;

Result<schema::TensorType> TypeInFile(DType dtype) {
  for (int type = schema::TensorType_MIN; type <= schema::TensorType_MAX; ++type) {
    const Result<DType> known = DTypeOf(static_cast<schema::TensorType>(type));
    if (known.ok() && *known == dtype) return static_cast<schema::TensorType>(type);
  }
  return Error(ErrorCode::kUnsupportedType, "TFLite has no element type {}", Name(dtype));
}

std::vector<std::uint8_t> Packed(const Tensor& tensor) {
  if (ElementBits(tensor.dtype()) < 8) return PackBits(tensor);
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.raw());
  return {bytes, bytes + tensor.bytes()};
}

std::size_t BytesInFile(const Tensor& tensor) {
  const auto bits = static_cast<std::size_t>(ElementBits(tensor.dtype()));
  return (static_cast<std::size_t>(tensor.count()) * bits + 7) / 8;
}

std::size_t Aligned(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

Status CheckWritten(DType dtype) { return TypeInFile(dtype).status(); }

flatbuffers::Offset<schema::Tensor> FileExport::BuildTensor(FlatBufferBuilder& builder,
                                                            const TensorSlot& slot) {
  schema::TensorT tensor;
  tensor.name = slot.name;
  tensor.type = *TypeInFile(slot.type.dtype);
  tensor.buffer = slot.buffer;
  tensor.has_rank = true;
  tensor.is_variable = slot.is_variable;
  bool open = false;
  for (const Dim& dim : *slot.type.shape) {
    open |= !dim.IsConst();
    tensor.shape.push_back(dim.IsConst() ? static_cast<std::int32_t>(dim.value()) : 1);
    tensor.shape_signature.push_back(dim.IsConst() ? tensor.shape.back() : -1);
  }
  if (!open) tensor.shape_signature.clear();
  if (slot.scale) {
    tensor.quantization = std::make_unique<schema::QuantizationParametersT>();
    tensor.quantization->scale = slot.scale.scales;
    tensor.quantization->zero_point = slot.scale.zero_points;
    tensor.quantization->quantized_dimension = static_cast<std::int32_t>(slot.scale.axis);
  }
  return schema::Tensor::Pack(builder, &tensor);
}

// `outside`: where the weights begin behind the flatbuffer; nothing when they stand within.
flatbuffers::DetachedBuffer FileExport::Build(std::optional<std::uint64_t> outside,
                                              std::size_t size) const {
  FlatBufferBuilder builder(size);
  std::vector<flatbuffers::Offset<schema::Buffer>> buffers = {schema::CreateBuffer(builder)};
  for (const Tensor& tensor : weights_) {
    if (outside) {
      buffers.push_back(schema::CreateBuffer(builder, 0, *outside, BytesInFile(tensor)));
      *outside += Aligned(BytesInFile(tensor));
      continue;
    }
    const std::vector<std::uint8_t> packed =
        ElementBits(tensor.dtype()) < 8 ? PackBits(tensor) : std::vector<std::uint8_t>();
    const auto* data =
        packed.empty() ? static_cast<const std::uint8_t*>(tensor.raw()) : packed.data();
    builder.ForceVectorAlignment(BytesInFile(tensor), 1, kAlignment);
    buffers.push_back(
        schema::CreateBuffer(builder, builder.CreateVector(data, BytesInFile(tensor))));
  }
  std::vector<flatbuffers::Offset<schema::Tensor>> tensors;
  for (const TensorSlot& slot : tensors_) tensors.push_back(BuildTensor(builder, slot));
  std::vector<flatbuffers::Offset<schema::OperatorCode>> codes;
  for (const auto& [code, version, custom] : codes_) {
    constexpr int kPlaceholder = schema::BuiltinOperator_PLACEHOLDER_FOR_GREATER_OP_CODES;
    const int older = std::min<int>(code, kPlaceholder);
    const auto name = custom.empty() ? 0 : builder.CreateString(custom);
    codes.push_back(
        schema::CreateOperatorCode(builder, static_cast<std::int8_t>(older), name, version, code));
  }
  std::vector<flatbuffers::Offset<schema::Operator>> operators;
  for (const OperatorSlot& slot : operators_) {
    const auto inputs = builder.CreateVector(slot.inputs);
    const auto outputs = builder.CreateVector(slot.outputs);
    const auto options = slot.options.Pack(builder);
    const auto custom = slot.custom_options.empty() ? 0 : builder.CreateVector(slot.custom_options);
    operators.push_back(schema::CreateOperator(builder, slot.code, inputs, outputs,
                                               slot.options.type, options, custom));
  }
  const auto tensor_list = builder.CreateVector(tensors);
  const auto inputs = builder.CreateVector(inputs_), outputs = builder.CreateVector(outputs_);
  const auto subgraph =
      schema::CreateSubGraph(builder, tensor_list, inputs, outputs, builder.CreateVector(operators),
                             builder.CreateString(graph.name()));
  const auto code_list = builder.CreateVector(codes);
  const auto subgraphs = builder.CreateVector(&subgraph, 1);
  const auto description = builder.CreateString("athanor");
  constexpr std::uint32_t kSchemaVersion = 3;
  builder.Finish(schema::CreateModel(builder, kSchemaVersion, code_list, subgraphs, description,
                                     builder.CreateVector(buffers)),
                 "TFL3");
  return builder.Release();
}

Result<std::vector<std::uint8_t>> FileExport::Bytes(std::uint64_t most_inside) const {
  std::uint64_t total = 0;
  for (const TensorSlot& slot : tensors_) {
    for (const Dim& dim : *slot.type.shape) {
      if (dim.IsConst() && dim.value() > std::numeric_limits<std::int32_t>::max())
        return Unsupported("\"{}\" is {}; TFLite has sizes of 32 bits", slot.name,
                           slot.type.ToString());
    }
  }
  for (const Tensor& tensor : weights_) total += Aligned(BytesInFile(tensor));
  constexpr std::size_t kStructure = 1 << 20;
  if (total <= most_inside) {
    const flatbuffers::DetachedBuffer file =
        Build({}, static_cast<std::size_t>(total) + kStructure);
    return std::vector<std::uint8_t>(file.data(), file.data() + file.size());
  }
  // Offsets take the same room whatever they are, so the first build tells where they begin.
  const std::size_t begin = Aligned(Build(kAlignment, kStructure).size());
  const flatbuffers::DetachedBuffer head = Build(begin, kStructure);
  std::vector<std::uint8_t> file(head.data(), head.data() + head.size());
  file.reserve(begin + static_cast<std::size_t>(total));
  for (const Tensor& tensor : weights_) {
    file.resize(Aligned(file.size()));
    const std::vector<std::uint8_t> bytes = Packed(tensor);
    file.insert(file.end(), bytes.begin(), bytes.end());
  }
  return file;
}

}  // namespace athanor::tflite
