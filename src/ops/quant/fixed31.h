// The operators that compute on quantised tensors with integers only (OpDef::fixed31), and what
// they share. Their results are those of TensorFlow Lite's reference kernels, bit by bit.
#pragma once

#include "ir/quantized.h"
#include "ops/quant/fixed_point.h"

namespace athanor::ops {

// One execution: integers in, integers out.
class Fixed31 {
 public:
  // Checks that the first `num_quantized` inputs and output 0 are quantised. All but those listed
  // must have one scale. `may_be_wide`: the output may be i16.
  static Result<Fixed31> Read(RefCtx& ctx, std::size_t num_quantized,
                              std::optional<std::size_t> may_have_axis = {},
                              bool may_be_wide = false);

  const QuantSpec& spec() const { return spec_; }
  const QuantPort& in(std::size_t i) const { return spec_.inputs[i]; }
  const QuantPort& out() const { return spec_.outputs[0]; }
  // Smallest and largest integer of the output, the activation considered.
  std::int32_t low() const { return low_; }
  std::int32_t high() const { return high_; }

  // q - zero point of every element.
  Result<std::vector<std::int32_t>> Centred(std::size_t i) const;
  // The elements of the output; its zero point is added, then they are limited.
  Status Store(std::span<const std::int32_t> values);

 private:
  Fixed31(RefCtx& ctx, QuantSpec spec) : ctx_(&ctx), spec_(std::move(spec)) {}

  RefCtx* ctx_;
  QuantSpec spec_;
  std::int32_t low_ = 0, high_ = 0;
};

Status AddFixed31(RefCtx& ctx);
Status AveragePoolFixed31(RefCtx& ctx);
Status ConcatFixed31(RefCtx& ctx);
Status ConvFixed31(RefCtx& ctx);
Status GemmFixed31(RefCtx& ctx);
Status GlobalAveragePoolFixed31(RefCtx& ctx);
Status IdentityFixed31(RefCtx& ctx);
Status MaxPoolFixed31(RefCtx& ctx);
Status MulFixed31(RefCtx& ctx);
Status ReduceMeanFixed31(RefCtx& ctx);
Status ResizeFixed31(RefCtx& ctx);
Status SigmoidFixed31(RefCtx& ctx);
Status SoftmaxFixed31(RefCtx& ctx);
Status SubFixed31(RefCtx& ctx);
Status TanhFixed31(RefCtx& ctx);

}  // namespace athanor::ops
