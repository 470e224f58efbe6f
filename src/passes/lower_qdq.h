// Turns Q(op(DQ(x), DQ(w), ...)) into the same operator on integers: see ir/quantized.h.
//
// Not one of the portable passes: Q/DQ pairs stay visible in saved models. Sessions run it, because
// only the machine at hand knows which operators it can compute on integers.
#pragma once

#include <functional>

#include "ir/graph.h"

namespace athanor::passes {

struct LowerQdqOptions {
  // Whether an operator with `arithmetic = float` is worth lowering; one that is not keeps its
  // pairs and runs in float. All others are lowered whoever runs them: their numerics depend on it.
  std::function<bool(const OpDef&)> accepts = {};
  // Whether a product of integers may end with a function of the real number that it gives. The two
  // stay two nodes: the product's result is real, and the function gives integers.
  std::function<bool(const OpDef& product, const OpDef& function)> may_end_with = {};
};

// Gives how many nodes compute on integers now. An activation (Relu, Clip) between the operator and
// Q becomes a clamp of the integers. Operators that only move data lose their pairs when all have
// the same scale.
Result<int> LowerQdq(Graph& graph, const LowerQdqOptions& options);

}  // namespace athanor::passes
