#include "ops/control/body.h"

#include "core/checked.h"
#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {

Status ExpectBody(const Graph& body, std::size_t inputs, std::size_t outputs) {
  if (body.inputs().size() == inputs && body.outputs().size() == outputs) return {};
  return InvalidModel("sub-graph \"{}\" has {} inputs and {} outputs; {} and {} are expected",
                      body.name(), body.inputs().size(), body.outputs().size(), inputs, outputs);
}

const Type& OutputType(const Graph& body, std::size_t i) {
  return body.value(body.outputs()[i].value).type;
}

Result<Type> Either(const Type& a, const Type& b) {
  // An absent type is that of an empty sequence's elements: it says nothing.
  if (a.kind == TypeKind::kAbsent) return b;
  if (b.kind == TypeKind::kAbsent) return a;
  if (a.kind == b.kind && a.element && b.element) {
    ATH_TRY(Type element, Either(*a.element, *b.element));
    Type common = a;
    common.element = std::make_shared<const Type>(std::move(element));
    return common;
  }
  // At run time a full optional looks like what it holds.
  if (a.kind == TypeKind::kOptional || b.kind == TypeKind::kOptional) {
    const bool first = a.kind == TypeKind::kOptional;
    ATH_TRY(Type element, first ? Either(*a.element, b) : Either(a, *b.element));
    return Type::Optional(std::move(element));
  }
  std::optional<Type> common = CommonType(a, b);
  if (!common)
    return InvalidModel("a value may be {} or {}; one kind and element type is expected",
                        a.ToString(), b.ToString());
  return *std::move(common);
}

Result<bool> ReadCondition(const Datum& datum) {
  if (!datum.IsTensor() || datum.tensor().dtype() != DType::kBool || datum.tensor().count() != 1)
    return DataError("a condition must be one bool");
  return datum.tensor().Data<bool>()[0];
}

Type WithoutShape(Type type) {
  type.shape.reset();
  if (type.element) type.element = std::make_shared<const Type>(WithoutShape(*type.element));
  return type;
}

Status Stack::Push(const Datum& datum) {
  if (!datum.IsTensor()) return DataError("a value that is stacked over iterations is no tensor");
  const Tensor& part = datum.tensor();
  if (!parts_.empty() && (part.dims() != parts_[0].dims() || part.dtype() != parts_[0].dtype())) {
    return DataError("an iteration gives {}{}, earlier ones {}{}", Name(part.dtype()),
                     ToString(part.dims()), Name(parts_[0].dtype()), ToString(parts_[0].dims()));
  }
  parts_.push_back(part);
  return {};
}

Result<Tensor> Stack::Join() const {
  Dims dims = parts_[0].dims();
  ATH_TRY(const std::int64_t axis, NormalizeAxis(axis_, parts_[0].rank() + 1));
  const auto count = static_cast<std::int64_t>(parts_.size());
  const std::int64_t inner = CountOf(dims, static_cast<std::size_t>(axis), dims.size());
  dims.insert(dims.begin() + axis, count);
  ATH_TRY(Tensor joined, Tensor::Allocate(parts_[0].dtype(), dims));
  const std::int64_t outer = CountOf(dims, 0, static_cast<std::size_t>(axis));
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor& part = parts_[static_cast<std::size_t>(reversed_ ? count - 1 - i : i)];
    for (std::int64_t o = 0; o < outer; ++o)
      CopyElements(part, o * inner, joined, (o * count + i) * inner, inner);
  }
  return joined;
}

Result<Type> StackedType(const Type& element, std::int64_t axis, const Dim& count) {
  if (element.kind != TypeKind::kTensor)
    return InvalidModel("only tensors can be stacked over iterations, not {}", element.ToString());
  Type type = element;
  if (count.Is(0)) {
    if (!type.shape) type.shape = athanor::Shape();
    for (Dim& dim : *type.shape) {
      if (!dim.IsConst()) dim = 0;
    }
    // Without a rank nothing says where the axis belongs.
    axis = element.shape ? axis : 0;
  }
  if (!type.shape) return type;
  ATH_TRY(const std::int64_t at, NormalizeAxis(axis, type.rank() + 1));
  type.shape->insert(type.shape->begin() + at, count);
  return type;
}

}  // namespace athanor::ops
