// What the neural-network operators share: small checks, and buffers in the type of computation.
#pragma once

#include <span>
#include <vector>

#include "ops/elementwise.h"

namespace athanor::ops {

// Fails unless the input is omitted or f32, f64, f16 or bf16.
Status ExpectFloat(const InferCtx& ctx, std::size_t input);
// Fails when the dimension is known and is another number.
Status ExpectDim(const InferCtx& ctx, std::size_t input, std::int64_t axis, const Dim& dim);
// The product; the dimensions are those of a tensor, or of the front part of one.
std::int64_t CountOf(std::span<const std::int64_t> dims);

// Reads a floating-point tensor as numbers of the type computed in, and writes it back.
template <class Number>
Result<std::vector<Number>> ReadAs(const Tensor& tensor) {
  std::vector<Number> values;
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, tensor.dtype(), [&](auto tag) -> Status {
    for (const auto& x : tensor.Data<typename decltype(tag)::Type>())
      values.push_back(static_cast<Number>(x));
    return {};
  }));
  return values;
}
template <class Number>
Status WriteAs(Tensor& tensor, const std::vector<Number>& values) {
  return Dispatch(FloatTypes{}, tensor.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<T> out = tensor.MutableData<T>();
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<T>(static_cast<ComputeType<T>>(values[i]));
    return {};
  });
}

}  // namespace athanor::ops
