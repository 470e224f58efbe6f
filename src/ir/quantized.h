// What a node that computes on quantised tensors knows about its inputs and outputs.
//
// A quantised tensor holds integers q that stand for (q - zero) * scale. The pass `lower-qdq` turns
// Q(op(DQ(x), DQ(w))) into `op` on integers and writes a QuantSpec into reserved attributes of the
// node, whose names begin with "quant.". Inference and evaluation of such a node are the same for
// every operator and stand here:
//
//   float    the inputs are dequantised, the operator's reference runs, the outputs are quantised
//   fixed31  OpDef::fixed31 computes with integers only
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/evaluate.h"

namespace athanor {

// One input or output.
struct QuantPort {
  DType dtype = DType::kUndefined;       // kUndefined: not quantised
  std::vector<float> scales = {};        // one, or one per index of the axis
  std::vector<std::int64_t> zeros = {};  // as many
  std::int64_t axis = 0;                 // of several scales

  bool quantized() const { return dtype != DType::kUndefined; }
  bool per_tensor() const { return scales.size() == 1; }
  friend bool operator==(const QuantPort&, const QuantPort&) = default;
};

struct QuantSpec {
  std::string arithmetic = "float";  // or "fixed31"
  std::vector<QuantPort> inputs = {};
  std::vector<QuantPort> outputs = {};
  // An activation: integers of output 0 below or above these become these.
  struct Clamp {
    std::int64_t low = 0, high = 0;
  };
  std::optional<Clamp> clamp = {};

  bool fixed31() const { return arithmetic == "fixed31"; }
};

bool HasQuantSpec(const AttrMap& attributes);
// Fails when the attributes contradict each other.
Result<QuantSpec> ReadQuantSpec(const AttrMap& attributes);
void WriteQuantSpec(const QuantSpec& spec, AttrMap& attributes);
AttrMap WithoutQuantSpec(const AttrMap& attributes);
// The reserved attributes as text and checks see them.
const std::vector<AttrSpec>& QuantAttributes();

// Least and largest integer of a type that quantised tensors may have: i8, u8, i16, u16, i32.
struct IntRange {
  std::int64_t low = 0, high = 0;
};
std::optional<IntRange> QuantRange(DType dtype);

// round(value / scale) + zero within the range, to nearest even; NaN gives zero.
std::int64_t QuantizeOne(float value, float scale, std::int64_t zero, IntRange range);

// The real numbers that a tensor stands for, as f32.
Result<Tensor> Dequantize(const Tensor& tensor, const QuantPort& port);
Result<Tensor> Quantize(const Tensor& f32, const QuantPort& port);

// Used by Infer and EvaluateNode for nodes with a QuantSpec.
Status InferQuantized(const OpDef& op, InferCtx& ctx);
Result<std::vector<Datum>> EvaluateQuantized(const Node& node, std::span<const Datum> inputs,
                                             std::vector<Datum> outputs);

}  // namespace athanor
