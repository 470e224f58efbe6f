// Layers of floats as a quantised network has them, each in a graph of its own.
#pragma once

#include "tools/layers.h"

namespace athanor::bench {

// Each convolution and dense layer on unsigned bytes, its weights signed bytes with a scale for
// each channel, the result rounded to unsigned bytes. An activation is the range of the result,
// whose zero point is 0 then; residual sums are operators of their own and stand apart. Layers that
// differ in nothing else become one.
Result<tools::Layers> QuantizedLayers(const tools::Layers& floats,
                                      const tools::LayerOptions& options);

}  // namespace athanor::bench
