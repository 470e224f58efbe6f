#include "tools/fit_type.h"

#include <limits>
#include <type_traits>

namespace athanor::tools {
namespace {

using Floats = TypeList<float, double, Half, BFloat16>;
using Integers = TypeList<std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t,
                          std::uint32_t, std::uint16_t, std::uint8_t>;

Status NotFitting(const Tensor& tensor, const Type& type) {
  Status status = Error(ErrorCode::kInvalidInput, "{}{} is given, {} is expected",
                        Name(tensor.dtype()), ToString(tensor.dims()), type.ToString());
  const std::string name = NumPyName(type.dtype);
  if (name.empty()) return status;
  return std::move(status).Fix(
      fmt::format("convert before saving, for example np.save('x.npy', x.astype(np.{}))", name));
}

Result<Tensor> ConvertFloats(const Tensor& tensor, DType dtype) {
  ATH_TRY(const std::vector<double> values, ToDoubles(tensor));
  ATH_TRY(Tensor out, Tensor::Allocate(dtype, tensor.dims()));
  ATH_RETURN_IF_ERROR(Dispatch(Floats{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto to = out.MutableData<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      if constexpr (std::is_same_v<T, double>)
        to[i] = values[i];
      else
        to[i] = T(static_cast<float>(values[i]));
    }
    return {};
  }));
  return out;
}

Result<Tensor> ConvertIntegers(const Tensor& tensor, const Type& type) {
  if (tensor.dtype() == DType::kU64) return NotFitting(tensor, type);
  ATH_TRY(const std::vector<std::int64_t> values, ToInts(tensor));
  ATH_TRY(Tensor out, Tensor::Allocate(type.dtype, tensor.dims()));
  ATH_RETURN_IF_ERROR(Dispatch(Integers{}, type.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto to = out.MutableData<T>();
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] = static_cast<T>(values[i]);
      const bool kept =
          static_cast<std::int64_t>(to[i]) == values[i] && (std::is_signed_v<T> || values[i] >= 0);
      if (!kept) {
        return Error(ErrorCode::kInvalidInput, "element {} is {}, which {} cannot hold", i,
                     values[i], Name(type.dtype));
      }
    }
    return {};
  }));
  return out;
}

}  // namespace

std::string NumPyName(DType dtype) {
  if (dtype == DType::kBool) return "bool_";
  if (dtype == DType::kString) return "str_";
  const bool plain = dtype == DType::kF16 || dtype == DType::kF32 || dtype == DType::kF64 ||
                     (IsInteger(dtype) && ElementBits(dtype) >= 8);
  if (!plain) return "";
  const std::string name(Name(dtype));
  const char* kind = name[0] == 'f' ? "float" : name[0] == 'u' ? "uint" : "int";
  return kind + name.substr(1);
}

Result<Tensor> FitType(const Tensor& tensor, const Type& type) {
  if (!type.IsTensor() || tensor.dtype() == type.dtype) return tensor;
  const auto is_plain_float = [](DType dtype) {
    return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kF16 ||
           dtype == DType::kBF16;
  };
  if (is_plain_float(tensor.dtype()) && is_plain_float(type.dtype))
    return ConvertFloats(tensor, type.dtype);
  if (IsInteger(tensor.dtype()) && IsInteger(type.dtype)) {
    Result<Tensor> converted = ConvertIntegers(tensor, type);
    if (converted.ok() || converted.status().code() != ErrorCode::kUnsupportedType)
      return converted;
  }
  return NotFitting(tensor, type);
}

}  // namespace athanor::tools
