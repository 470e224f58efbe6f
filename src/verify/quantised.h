// What the integers at the edge of a quantised model stand for, so that it can be fed with the real
// numbers that another model takes, and its answers be laid beside real ones.
#pragma once

#include <optional>
#include <string>

#include "ir/graph.h"

namespace athanor {

// real = (integer - zero_point) * scale
struct IntegerScale {
  double scale = 1;
  double zero_point = 0;
};

// The real numbers that integers stand for, from the lowest to the highest one.
struct RealRange {
  double low = 0, high = 0;
  double step = 0;  // from one to the next

  double width() const { return high - low; }
};

// The scale of the DequantizeLinear that reads this input, or of the QuantizeLinear that makes this
// output, with nothing but moves of elements between. Nothing where there is none, or one for each
// channel.
std::optional<IntegerScale> ScaleOfInput(const Graph& graph, ValueId input);
std::optional<IntegerScale> ScaleOfOutput(const Graph& graph, ValueId output);

// What this input may hold without being clipped by all that reads it: the widest range of the
// QuantizeLinears that read a real one, with nothing but moves between; that of the
// DequantizeLinear that reads integers. Nothing where there is none, where something else reads the
// real numbers, or with one scale for each channel.
std::optional<RealRange> RangeOfInput(const Graph& graph, ValueId input);

Result<Tensor> ToReal(const Tensor& integers, const IntegerScale& scale);
// Rounds halves to even and saturates, as QuantizeLinear does. `dtype`: of 8 or 16 bits.
Result<Tensor> ToIntegers(const Tensor& real, DType dtype, const IntegerScale& scale);

// "u8 128 is 0, a step is 0.0078125"
std::string ToText(const IntegerScale& scale, DType integer);

}  // namespace athanor
