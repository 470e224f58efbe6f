// Quantised values in decompositions: how integers with a scale become real numbers and back.
#pragma once

#include "frontends/onnx/formula.h"

namespace athanor::onnx {

// Input numbers of a quantised value: data, scale, zero point.
struct QuantizedInput {
  std::size_t data = 0;
  std::size_t scale = 0;
  std::size_t zero_point = 0;
};

// The input as f32. A vector of scales runs along `axis` (negative counts from the end).
ValueId Dequantize(NodeImport& ctx, Formula& f, QuantizedInput input, std::int64_t axis = 1);
// x as integers of the type of the zero point, or `otherwise` where that is omitted.
ValueId Quantize(NodeImport& ctx, Formula& f, ValueId x, std::size_t scale, std::size_t zero_point,
                 DType otherwise, std::int64_t axis = 1);
// x with its last dimension behind the first, or `back`; x itself unless `channels_last`.
ValueId ToChannelsFirst(Formula& f, ValueId x, bool channels_last, bool back);
// The row of QLinearConv.
Status QLinearConv(NodeImport& ctx);
// Inputs [0, count) but for those listed are there; an error names the first that is omitted.
Status RequireInputs(const NodeImport& ctx, std::size_t count,
                     std::initializer_list<std::size_t> optional = {});

}  // namespace athanor::onnx
