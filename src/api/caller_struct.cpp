#include "api/caller_struct.h"

#include "core/checked.h"

namespace athanor {
namespace {

// Where elements of the type must lie in the caller's memory.
std::size_t Alignment(DType dtype) {
  if (dtype == DType::kString) return alignof(const char*);
  return ElementBytes(dtype) / (IsComplex(dtype) ? 2 : 1);
}

Result<Tensor> ImportStrings(Dims dims, const void* data) {
  ATH_TRY(Tensor strings, Tensor::Allocate(DType::kString, std::move(dims)));
  const auto* texts = static_cast<const char* const*>(data);
  for (std::string& text : strings.MutableData<std::string>()) {
    if (*texts == nullptr) return Error(ErrorCode::kInvalidInput, "a string is NULL");
    text = *texts++;
  }
  return strings;
}

}  // namespace

Status CheckStructSize(const char* type, std::uint32_t given, std::size_t needed) {
  if (given >= needed) return {};
  return Error(ErrorCode::kUsage, "struct_size is {}; {} has at least {} bytes", given, type,
               needed)
      .Fix(fmt::format(".struct_size = sizeof({})", type));
}

Status CheckCodes(const Tensor& tensor) {
  const DType dtype = tensor.dtype();
  const int bits = dtype == DType::kBool ? 1 : ElementBits(dtype);
  if (bits >= 8 || dtype == DType::kString) return {};
  const int low = IsSigned(dtype) ? -(1 << (bits - 1)) : 0;
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.raw());
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    const int code = low < 0 ? static_cast<std::int8_t>(bytes[i]) : bytes[i];
    if (code < low || code >= low + (1 << bits))
      return Error(ErrorCode::kInvalidInput, "element {} is {}, which is no {}", i, code,
                   Name(dtype));
  }
  return {};
}

Status CheckTensor(const ath_tensor& tensor) {
  constexpr std::int32_t kMostDims = 64;
  ATH_RETURN_IF_ERROR(CheckStructSize("ath_tensor", tensor.struct_size, kTensorSize));
  const bool known = tensor.dtype > ATH_UNDEFINED && tensor.dtype <= ATH_C128;
  if (!known) return Error(ErrorCode::kInvalidInput, "{} is not an element type", tensor.dtype);
  if (tensor.rank < 0 || tensor.rank > kMostDims || (tensor.rank > 0 && tensor.dims == nullptr)) {
    return Error(ErrorCode::kInvalidInput, "rank is {}{}; 0 to {} dimensions are accepted",
                 tensor.rank, tensor.dims == nullptr ? " and dims is NULL" : "", kMostDims);
  }
  const std::span<const std::int64_t> dims(tensor.dims, static_cast<std::size_t>(tensor.rank));
  const auto dtype = static_cast<DType>(tensor.dtype);
  const std::optional<std::int64_t> count = CheckedCount(dims);
  const bool fits = count && CheckedMul(*count, static_cast<std::int64_t>(ElementBytes(dtype)));
  if (!fits)
    return Error(ErrorCode::kInvalidInput, "shape {} is negative or too large", ToString(dims));
  if (*count > 0 && tensor.data == nullptr)
    return Error(ErrorCode::kInvalidInput, "data is NULL; {} elements are expected", *count);
  if (*count > 0 && reinterpret_cast<std::uintptr_t>(tensor.data) % Alignment(dtype) != 0)
    return Error(ErrorCode::kInvalidInput,
                 "data is not aligned; an address divisible by {} is expected for {}",
                 Alignment(dtype), Name(dtype));
  return {};
}

Result<Tensor> ImportTensor(const ath_tensor& tensor) {
  ATH_RETURN_IF_ERROR(CheckTensor(tensor));
  Dims dims(tensor.dims, tensor.dims + tensor.rank);
  const auto dtype = static_cast<DType>(tensor.dtype);
  if (dtype == DType::kString) return ImportStrings(std::move(dims), tensor.data);
  Tensor view = Tensor::View(dtype, std::move(dims), tensor.data, nullptr);
  ATH_RETURN_IF_ERROR(CheckCodes(view));
  return view;
}

}  // namespace athanor
