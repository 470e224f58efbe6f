// Transposed convolution: its attributes and what follows from them and the shapes.
#pragma once

#include "ops/nn/conv.h"

namespace athanor::ops {

struct ConvTransposeAttrs : ConvAttrs {
  std::vector<std::int64_t> output_padding;
  std::vector<std::int64_t> output_shape;

  template <class V>
  void Visit(V& v) {
    ConvAttrs::Visit(v);
    v("output_padding", output_padding, "elements added at the end of each output axis; empty: 0");
    v("output_shape", output_shape,
      "spatial size of the output, from which the padding follows; empty: computed");
  }
};

// in_channels and out_channels as x and y have them. Each axis describes the convolution that goes
// the other way: `in` is the size of y, `out` the size of x.
Result<ConvGeometry> ResolveConvTranspose(const ConvTransposeAttrs& attrs,
                                          std::span<const std::int64_t> x,
                                          std::span<const std::int64_t> w);

}  // namespace athanor::ops
