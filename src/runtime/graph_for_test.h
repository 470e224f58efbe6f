// What tests of sessions make their graphs of.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "ir/graph.h"

namespace athanor {

inline Tensor Ramp(Dims dims, float scale) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, std::move(dims));
  float i = 0;
  for (float& x : tensor.MutableData<float>()) x = std::sin(scale * ++i);
  return tensor;
}

inline ValueId Op(Graph& graph, std::string_view op, std::vector<ValueId> inputs,
                  AttrMap attributes = {}) {
  Result<ValueId> made = graph.Add(op, inputs, std::move(attributes));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  return *made;
}

}  // namespace athanor
