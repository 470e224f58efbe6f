#include "frontends/openvino/element_type.h"

namespace athanor::openvino {
namespace {

struct ElementType {
  DType dtype;
  std::string_view name, precision;
};

constexpr ElementType kTypes[] = {
    {DType::kF64, "f64", "FP64"},
    {DType::kF32, "f32", "FP32"},
    {DType::kF16, "f16", "FP16"},
    {DType::kBF16, "bf16", "BF16"},
    {DType::kF8E4M3, "f8e4m3", "F8E4M3"},
    {DType::kF8E5M2, "f8e5m2", "F8E5M2"},
    {DType::kF8E8M0, "f8e8m0", "F8E8M0"},
    {DType::kI64, "i64", "I64"},
    {DType::kI32, "i32", "I32"},
    {DType::kI16, "i16", "I16"},
    {DType::kI8, "i8", "I8"},
    {DType::kI4, "i4", "I4"},
    {DType::kU64, "u64", "U64"},
    {DType::kU32, "u32", "U32"},
    {DType::kU16, "u16", "U16"},
    {DType::kU8, "u8", "U8"},
    {DType::kU4, "u4", "U4"},
    {DType::kU2, "u2", "U2"},
    {DType::kBool, "boolean", "BOOL"},
};

}  // namespace

std::optional<DType> DTypeOf(std::string_view name) {
  for (const ElementType& type : kTypes) {
    if (type.name == name) return type.dtype;
  }
  return std::nullopt;
}

std::string_view ElementTypeOf(DType dtype) {
  for (const ElementType& type : kTypes) {
    if (type.dtype == dtype) return type.name;
  }
  return "";
}

std::string_view PrecisionOf(DType dtype) {
  for (const ElementType& type : kTypes) {
    if (type.dtype == dtype) return type.precision;
  }
  return "";
}

}  // namespace athanor::openvino
