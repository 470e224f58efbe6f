#include "frontends/paddle/parameters.h"

#include "core/checked.h"
#include "frontends/paddle/schema.h"
#include "frontends/tensorflow/tensor.h"

namespace athanor::paddle {
namespace {

constexpr std::uint64_t kMaxLevels = 16;  // of sequence offsets
constexpr std::size_t kMostAxes = 16;

// version, sequence offsets, version, length of a TensorDesc, TensorDesc, elements
// (paddle/phi/core/framework/dense_tensor_serialize.cc).
Result<Tensor> ReadTensor(protobuf::Cursor& cursor, const std::shared_ptr<const void>& owner) {
  const Status ends = Error(ErrorCode::kCorruptFile, "the file ends within it");
  const auto version = cursor.Fixed<std::uint32_t>();
  const auto levels = cursor.Fixed<std::uint64_t>();
  if (cursor.failed()) return ends;
  if (version != 0) return Unsupported("version {} is not read; 0 is", version);
  if (levels > kMaxLevels) return InvalidModel("it has {} levels of sequences", levels);
  for (std::uint64_t level = 0; level < levels; ++level) cursor.Take(cursor.Fixed<std::uint64_t>());
  const auto tensor_version = cursor.Fixed<std::uint32_t>();
  if (cursor.failed()) return ends;
  if (tensor_version != 0) return Unsupported("version {} is not read; 0 is", tensor_version);
  const Bytes description = cursor.Take(cursor.Fixed<std::uint32_t>());
  if (cursor.failed()) return ends;
  ATH_TRY(const TensorDesc desc, protobuf::Parse<TensorDesc>(description, "tensor description"));
  const DType dtype = DTypeOfVarType(desc.data_type);
  if (dtype == DType::kUndefined)
    return Error(ErrorCode::kUnsupportedType, "element type {} is not read", desc.data_type);
  if (desc.dims.size() > kMostAxes) return Unsupported("rank {} is not read", desc.dims.size());
  const auto count = CheckedCount(desc.dims);
  const auto size =
      count ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*count), ElementBytes(dtype))
            : std::nullopt;
  if (!size) return InvalidModel("its shape is {}", ToString(desc.dims));
  const Bytes elements = cursor.Take(*size);
  if (cursor.failed()) return ends;
  return tensorflow::ViewOrCopy(dtype, desc.dims, elements, owner);
}

}  // namespace

Result<std::vector<Tensor>> ReadParameters(Bytes bytes, std::size_t count,
                                           const std::shared_ptr<const void>& owner) {
  std::vector<Tensor> tensors;
  protobuf::Cursor cursor(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    if (cursor.done())
      return Error(ErrorCode::kCorruptFile, "the file holds {} tensors; the program has {}", i,
                   count);
    Result<Tensor> tensor = ReadTensor(cursor, owner);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("tensor {}", i));
    tensors.push_back(*std::move(tensor));
  }
  if (cursor.done()) return tensors;
  return Error(ErrorCode::kCorruptFile, "{} bytes follow the {} tensors of the program",
               bytes.size() - cursor.position(), count);
}

}  // namespace athanor::paddle
