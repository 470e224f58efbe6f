// Weights and biases of convolutions and dense layers, floating-point and 8-bit.
#pragma once

#include "frontends/tflite/op_export.h"

namespace athanor::tflite {

// Whether TFLite computes on these integers: constant weights without zero point, or of the older
// kind u8 all through, and a bias that is known.
bool FitsWeights(const OpExport& ctx);

// Input 1 with its axes in another order; `is_line`: of one row, where the graph has 1 axis.
Result<TensorIndex> WeightsOf(OpExport& ctx, bool is_line, const Ints& perm);

// Input `i`, one number per output, in units of the products when the operator computes on
// integers. Without one it is 0, because delegates want one.
Result<TensorIndex> BiasOf(OpExport& ctx, std::int64_t outputs, std::size_t i);

}  // namespace athanor::tflite
