#include "quant/probabilities.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::quant {
namespace {

std::vector<std::string> OutputsBefore(const std::string& text) {
  const Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  const Graph before = BeforeProbabilities(*graph);
  EXPECT_TRUE(Verify(before).ok());
  std::vector<std::string> names;
  for (const GraphOutput& output : before.outputs())
    names.push_back(before.value(output.value).name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Probabilities, WhatTheyAreMadeOfTakesTheirPlaceAndTheirOrderStays) {
  EXPECT_EQ(OutputsBefore(R"(
graph main(x: f32[2, 3], z: f32[2, 3]) -> (boxes: f32[2, 3], y: f32[3, 2], s: f32[2, 3]) {
  const %scale: f32[] = 0.1
  const %zero: u8[] = 0
  %boxes = Relu(%z)
  %logits = Relu(%x)
  %p = Softmax(%logits)
  %q = QuantizeLinear(%p, %scale, %zero)
  %d = DequantizeLinear(%q, %scale, %zero)
  %y = Transpose(%d) {perm = [1, 0]}
  %s = Sigmoid(%z)
}
)"),
            (Names{"boxes", "logits", "z"}));
}

TEST(Probabilities, ThoseThatOthersReadAndOtherOutputsStay) {
  EXPECT_EQ(OutputsBefore(R"(
graph main(x: f32[2, 3]) -> (p: f32[2, 3], e: f32[2, 3], c: f32[2, 6], x2: f32[2, 3]) {
  %p = Softmax(%x)
  %e = Exp(%p)
  %t = Sigmoid(%x)
  %c = Concat(%t, %t) {axis = 1}
  %x2 = Identity(%x)
}
)"),
            (Names{"p", "e", "c", "x2"}));
}

}  // namespace
}  // namespace athanor::quant
