#include "frontends/node_view.h"

namespace athanor {

Result<Tensor> NodeView::Weight(std::size_t i, std::string_view what) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr) return Unsupported("the {} must be a constant", what);
  if (tensor->dtype() != DType::kF32)
    return Error(ErrorCode::kUnsupportedType, "the {} is {}; f32 is written", what,
                 Name(tensor->dtype()));
  return *tensor;
}

Result<std::vector<std::int64_t>> NodeView::ConstantInts(std::size_t i,
                                                         std::string_view what) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr) return Unsupported("the {} must be a constant", what);
  return ToInts(*tensor);
}

Result<float> NodeView::ConstantFloat(std::size_t i, float otherwise) const {
  if (!Has(i)) return otherwise;
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr || tensor->count() != 1)
    return Unsupported("input {} must be a constant of one number", i);
  ATH_TRY(const std::vector<double> values, ToDoubles(*tensor));
  return static_cast<float>(values[0]);
}

}  // namespace athanor
