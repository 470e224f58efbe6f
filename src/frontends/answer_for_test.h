// For tests of front ends: runs a network of one input on the reference.
#pragma once

#include <gtest/gtest.h>

#include "ir/evaluate.h"

namespace athanor {

// Its first output; nothing after a failure, which is reported.
inline std::vector<float> Answer(const Result<Graph>& graph, Dims dims,
                                 const std::vector<float>& values) {
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  const auto out = Evaluate(*graph, {Datum(Tensor::FromVector<float>(std::move(dims), values))});
  EXPECT_TRUE(out.ok()) << out.status().ToString();
  if (!out.ok()) return {};
  const auto data = (*out)[0].tensor().Data<float>();
  return {data.begin(), data.end()};
}

}  // namespace athanor
