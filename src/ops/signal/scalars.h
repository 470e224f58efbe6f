// What the definitions of signal operators share: numbers of any type, scalars that are sizes.
#pragma once

#include <optional>
#include <type_traits>

#include "ir/op_def.h"

namespace athanor::ops {

template <class T>
T FromDouble(double value) {
  if constexpr (std::is_arithmetic_v<T>) return static_cast<T>(value);
  return T(static_cast<float>(value));
}

// The value of a scalar integer input, when it is known. Fails when it is no such scalar.
Result<std::optional<std::int64_t>> ScalarInput(const InferCtx& ctx, std::size_t i);

}  // namespace athanor::ops
