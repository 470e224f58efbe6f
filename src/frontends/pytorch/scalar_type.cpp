#include "frontends/pytorch/scalar_type.h"

namespace athanor::pytorch {
namespace {

struct ScalarType {
  std::string_view name, storage;
  std::int64_t number = 0;    // c10::ScalarType
  std::int64_t exported = 0;  // torch._export.serde.schema.ScalarType
  DType dtype = DType::kUndefined;
};

constexpr ScalarType kTypes[] = {
    {"uint8", "ByteStorage", 0, 1, DType::kU8},
    {"int8", "CharStorage", 1, 2, DType::kI8},
    {"int16", "ShortStorage", 2, 3, DType::kI16},
    {"int32", "IntStorage", 3, 4, DType::kI32},
    {"int64", "LongStorage", 4, 5, DType::kI64},
    {"float16", "HalfStorage", 5, 6, DType::kF16},
    {"float32", "FloatStorage", 6, 7, DType::kF32},
    {"float64", "DoubleStorage", 7, 8, DType::kF64},
    {"complex64", "ComplexFloatStorage", 9, 10, DType::kC64},
    {"complex128", "ComplexDoubleStorage", 10, 11, DType::kC128},
    {"bool", "BoolStorage", 11, 12, DType::kBool},
    {"bfloat16", "BFloat16Storage", 15, 13, DType::kBF16},
    {"float8_e5m2", "", 23, 30, DType::kF8E5M2},
    {"float8_e4m3fn", "", 24, 29, DType::kF8E4M3},
    {"float8_e5m2fnuz", "", 25, 32, DType::kF8E5M2Fnuz},
    {"float8_e4m3fnuz", "", 26, 31, DType::kF8E4M3Fnuz},
    {"uint16", "", 27, 28, DType::kU16},
    {"uint32", "", 28, 34, DType::kU32},
    {"uint64", "", 29, 35, DType::kU64},
};

}  // namespace

Result<DType> DTypeOfScalarType(std::int64_t number) {
  for (const ScalarType& type : kTypes) {
    if (type.number == number) return type.dtype;
  }
  return Unsupported("element type {} of PyTorch is not read", number);
}

std::int64_t ScalarTypeOf(DType dtype) {
  for (const ScalarType& type : kTypes) {
    if (type.dtype == dtype) return type.number;
  }
  return -1;
}

Result<DType> DTypeOfExported(std::int64_t number) {
  for (const ScalarType& type : kTypes) {
    if (type.exported == number) return type.dtype;
  }
  return Unsupported("element type {} of exported programs is not read", number);
}

DType DTypeOfName(std::string_view name) {
  for (const ScalarType& type : kTypes) {
    if (name == type.name || (!name.empty() && name == type.storage)) return type.dtype;
  }
  return DType::kUndefined;
}

}  // namespace athanor::pytorch
