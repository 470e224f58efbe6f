#include "serve/datatype.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/checked.h"
#include "core/text.h"

namespace athanor::serve {
namespace {

struct V2Name {
  std::string_view name;
  DType dtype;
};

constexpr std::array<V2Name, 14> kNames = {{{"BOOL", DType::kBool},
                                            {"UINT8", DType::kU8},
                                            {"UINT16", DType::kU16},
                                            {"UINT32", DType::kU32},
                                            {"UINT64", DType::kU64},
                                            {"INT8", DType::kI8},
                                            {"INT16", DType::kI16},
                                            {"INT32", DType::kI32},
                                            {"INT64", DType::kI64},
                                            {"FP16", DType::kF16},
                                            {"BF16", DType::kBF16},
                                            {"FP32", DType::kF32},
                                            {"FP64", DType::kF64},
                                            {"BYTES", DType::kString}}};

// What kernels expect of memory; see core/tensor.h.
constexpr std::uintptr_t kAlignment = 64;
constexpr std::size_t kLengthBytes = 4;

Result<Tensor> Strings(Dims shape, std::span<const std::byte> bytes, std::int64_t count) {
  // Each string takes at least its length, so the count is bounded before anything is allocated.
  if (static_cast<std::size_t>(count) > bytes.size() / kLengthBytes) {
    return Error(ErrorCode::kInvalidInput, "{} bytes are too few for {} strings", bytes.size(),
                 count);
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kString, std::move(shape)));
  std::size_t at = 0;
  for (std::string& text : tensor.MutableData<std::string>()) {
    std::uint32_t length = 0;
    if (bytes.size() - at < kLengthBytes)
      return Error(ErrorCode::kInvalidInput, "the strings end after {} bytes", bytes.size());
    std::memcpy(&length, bytes.data() + at, kLengthBytes);
    at += kLengthBytes;
    if (bytes.size() - at < length)
      return Error(ErrorCode::kInvalidInput, "a string of {} bytes begins {} bytes before the end",
                   length, bytes.size() - at);
    text.assign(reinterpret_cast<const char*>(bytes.data()) + at, length);
    at += length;
  }
  if (at != bytes.size())
    return Error(ErrorCode::kInvalidInput, "{} bytes stand behind the last string",
                 bytes.size() - at);
  return tensor;
}

}  // namespace

std::string_view ToV2(DType dtype) {
  for (const V2Name& row : kNames) {
    if (row.dtype == dtype) return row.name;
  }
  return "";
}

std::optional<DType> FromV2(std::string_view name) {
  for (const V2Name& row : kNames) {
    if (row.name == name) return row.dtype;
  }
  return {};
}

std::string AllV2Names() {
  std::vector<std::string> names;
  for (const V2Name& row : kNames) names.emplace_back(row.name);
  return Join(names, ", ");
}

Result<std::int64_t> CountElements(std::span<const std::int64_t> shape) {
  for (const std::int64_t dim : shape) {
    if (dim < 0)
      return Error(ErrorCode::kInvalidInput, "shape {} has a negative dimension", ToString(shape));
  }
  const std::optional<std::int64_t> count = CheckedCount(Dims(shape.begin(), shape.end()));
  if (!count || *count > (std::int64_t{1} << 40))
    return Error(ErrorCode::kInvalidInput, "shape {} is too large", ToString(shape));
  return *count;
}

Result<Tensor> TensorFromBytes(DType dtype, Dims shape, std::span<const std::byte> bytes,
                               const std::shared_ptr<const void>& owner) {
  ATH_TRY(const std::int64_t count, CountElements(shape));
  if (dtype == DType::kString) return Strings(std::move(shape), bytes, count);
  const std::size_t wanted = static_cast<std::size_t>(count) * ElementBytes(dtype);
  if (bytes.size() != wanted) {
    return Error(ErrorCode::kInvalidInput, "{} bytes are given; shape {} of {} takes {}",
                 bytes.size(), ToString(shape), ToV2(dtype), wanted);
  }
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment == 0;
  if (aligned && owner != nullptr && dtype != DType::kBool)
    return Tensor::View(dtype, std::move(shape), bytes.data(), owner);
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(shape)));
  if (wanted > 0) std::memcpy(tensor.mutable_raw(), bytes.data(), wanted);
  if (dtype == DType::kBool) {
    // Any other byte in a bool would be undefined behaviour further down.
    auto* flags = static_cast<std::uint8_t*>(tensor.mutable_raw());
    for (std::size_t i = 0; i < wanted; ++i) flags[i] = flags[i] != 0 ? 1 : 0;
  }
  return tensor;
}

std::size_t BytesOf(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString) return tensor.bytes();
  std::size_t bytes = 0;
  for (const std::string& text : tensor.Data<std::string>()) bytes += kLengthBytes + text.size();
  return bytes;
}

void AppendBytes(const Tensor& tensor, std::string& text) {
  if (tensor.dtype() != DType::kString) {
    text.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
    return;
  }
  for (const std::string& element : tensor.Data<std::string>()) {
    const auto length = static_cast<std::uint32_t>(element.size());
    text.append(reinterpret_cast<const char*>(&length), kLengthBytes);
    text += element;
  }
}

}  // namespace athanor::serve
