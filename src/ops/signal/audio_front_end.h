// The audio front end of TensorFlow Lite for Microcontrollers, in integers: windowed frames become
// spectra, energies in bands, and these, less the noise and on a scale of decibels, features of
// speech. Names and meaning are those of its signal library; what it keeps between calls is an
// input and an output here.
#pragma once

#include "ops/elementwise.h"

namespace athanor::ops {

inline Status ExpectType(const InferCtx& ctx, std::size_t i, DType dtype) {
  const DType accepted[] = {dtype};
  return ExpectDType(ctx, i, accepted);
}

// The output has the shape of input 0.
inline Status InferLikeInput(InferCtx& ctx, DType from, DType to) {
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 0, from));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = to;
  return {};
}

inline Status ExpectBits(std::int64_t bits, std::int64_t most, const char* what) {
  if (bits >= 0 && bits <= most) return {};
  return InvalidModel("{} is {}; 0 to {} is accepted", what, bits, most);
}

}  // namespace athanor::ops
