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

// The elements as the type computed in.
template <class T>
std::vector<ComputeType<T>> Widen(std::span<const T> values) {
  return std::vector<ComputeType<T>>(values.begin(), values.end());
}

}  // namespace athanor::ops
