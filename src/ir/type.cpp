#include "ir/type.h"

namespace athanor {

Type Type::Sequence(Type element) {
  return {
      TypeKind::kSequence, DType::kUndefined, {}, std::make_shared<const Type>(std::move(element))};
}

Type Type::Optional(Type element) {
  return {
      TypeKind::kOptional, DType::kUndefined, {}, std::make_shared<const Type>(std::move(element))};
}

Type Type::Of(const class Tensor& tensor) {
  return Tensor(tensor.dtype(), Shape(tensor.dims().begin(), tensor.dims().end()));
}

Type Type::Of(const Datum& datum) {
  if (datum.IsTensor()) return Of(datum.tensor());
  if (!datum.IsSequence()) return {};
  Type element;
  for (const Datum& item : datum.items()) {
    const Type type = Of(item);
    element = element.kind == TypeKind::kAbsent ? type : CommonType(element, type).value_or(type);
  }
  return Sequence(std::move(element));
}

std::optional<Dims> Type::StaticDims() const {
  if (!HasRank()) return std::nullopt;
  Dims dims;
  for (const Dim& dim : *shape) {
    if (!dim.IsConst()) return std::nullopt;
    dims.push_back(dim.value());
  }
  return dims;
}

std::string Type::ToString() const {
  switch (kind) {
    case TypeKind::kAbsent:
      return "none";
    case TypeKind::kSequence:
      return fmt::format("seq({})", element->ToString());
    case TypeKind::kOptional:
      return fmt::format("optional({})", element->ToString());
    case TypeKind::kTensor:
      break;
  }
  return std::string(Name(dtype)) + (shape ? athanor::ToString(*shape) : "[...]");
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.dtype != b.dtype || a.shape != b.shape) return false;
  if (!a.element || !b.element) return a.element == b.element;
  return *a.element == *b.element;
}

Dim ElementCount(const Shape& shape) {
  Dim count = 1;
  for (const Dim& dim : shape) count = count * dim;
  return count;
}

std::optional<Type> CommonType(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.dtype != b.dtype) return std::nullopt;
  if (a.element && b.element) {
    std::optional<Type> element = CommonType(*a.element, *b.element);
    if (!element) return std::nullopt;
    Type common = a;
    common.element = std::make_shared<const Type>(std::move(*element));
    return common;
  }
  Type common = a;
  if (!a.shape || !b.shape || a.shape->size() != b.shape->size()) {
    common.shape.reset();
    return common;
  }
  for (std::size_t i = 0; i < a.shape->size(); ++i) {
    if (!((*a.shape)[i] == (*b.shape)[i])) (*common.shape)[i] = Dim::Unknown();
  }
  return common;
}

}  // namespace athanor
