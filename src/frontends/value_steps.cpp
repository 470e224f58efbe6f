#include "frontends/value_steps.h"

#include <algorithm>

#include "core/small_types.h"

namespace athanor {

const Type& ValueSteps::TypeOf(ValueId x) const {
  static const Type nothing;
  return x == kNoValue ? nothing : graph.value(x).type;
}

std::int64_t ValueSteps::Rank(ValueId x) {
  if (!problem_.ok()) return 0;
  if (TypeOf(x).HasRank()) return TypeOf(x).rank();
  Fail(Unsupported("the rank of an input is not known"));
  return 0;
}

std::optional<std::int64_t> ValueSteps::SizeIfKnown(ValueId x, std::int64_t axis) const {
  const Type& type = TypeOf(x);
  if (!problem_.ok() || !type.HasRank() || axis < 0 || axis >= type.rank()) return std::nullopt;
  const Dim& dim = type.dim(axis);
  if (!dim.IsConst() || dim.value() < 0 || dim.value() > kLargestSize) return std::nullopt;
  return dim.value();
}

std::int64_t ValueSteps::Static(ValueId x, std::int64_t axis) {
  if (!problem_.ok()) return 1;
  if (const auto size = SizeIfKnown(x, axis)) return *size;
  Fail(Unsupported("the size of axis {} must be known when the model is read; the input is {}",
                   axis, TypeOf(x).ToString())
           .Fix("export the model for inputs of a fixed size"));
  return 1;
}

std::int64_t ValueSteps::Axis(std::int64_t axis, std::int64_t rank) {
  const std::int64_t from_front = axis < 0 ? axis + rank : axis;
  if (from_front >= 0 && from_front < std::max<std::int64_t>(rank, 1)) return from_front;
  Fail(InvalidModel("axis {} does not exist: the input has {}", axis, rank));
  return 0;
}

std::vector<std::int64_t> ValueSteps::AllAxes(std::int64_t rank) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

ValueId ValueSteps::Number(double value, DType dtype) {
  if (!problem_.ok()) return kNoValue;
  Tensor tensor;
  Status status;
  if (dtype == DType::kBool) {
    tensor = Tensor::Scalar<bool>(value != 0);
  } else if (IsInteger(dtype) && !(value > -0x1p63 && value < 0x1p63)) {
    status = InvalidModel("{} is no {}", value, athanor::Name(dtype));
  } else {
    status = Dispatch(NumericTypes(), dtype, [&]<class T>(TypeTag<T>) -> Status {
      if constexpr (std::is_integral_v<T>) {
        tensor = Tensor::Scalar<T>(static_cast<T>(static_cast<std::int64_t>(value)));
      } else if constexpr (std::is_same_v<T, double>) {
        tensor = Tensor::Scalar<T>(value);
      } else {
        tensor = Tensor::Scalar<T>(T(static_cast<float>(value)));
      }
      return {};
    });
  }
  if (status.ok()) return Constant(std::move(tensor));
  Fail(std::move(status));
  return kNoValue;
}

ValueId ValueSteps::Cast(ValueId x, DType dtype) {
  if (!problem_.ok() || DTypeOf(x) == dtype) return x;
  return Op("Cast", {x}, {{"to", dtype}});
}

}  // namespace athanor
