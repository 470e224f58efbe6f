#include "quant/parts.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::quant {
namespace {

std::vector<std::string> PartNames(const std::string& text) {
  const Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  const Graph parts = SeparateParts(*graph);
  std::vector<std::string> names;
  for (const GraphOutput& output : parts.outputs()) names.push_back(parts.value(output.value).name);
  return names;
}

using Names = std::vector<std::string>;

TEST(Parts, WhatIsJoinedBeforeMovesIsSeparate) {
  EXPECT_EQ(PartNames(R"(
graph main(x: f32[1, 2, 3], w: f32[1, 2, 3]) -> (y: f32[1, 4, 6]) {
  %boxes = Relu(%x)
  %scores = Sigmoid(%w)
  %turned = Transpose(%scores) {perm = [0, 1, 2]}
  %near = Concat(%boxes, %turned) {axis = 1}
  %far = Concat(%near, %near) {axis = 2}
  %y = Transpose(%far) {perm = [0, 1, 2]}
}
)"),
            (Names{"boxes", "turned", "boxes", "turned"}));
}

TEST(Parts, OtherOutputsStayWhole) {
  const std::string read_again = R"(
graph main(x: f32[1, 2]) -> (y: f32[1, 4], z: f32[1, 4]) {
  %a = Relu(%x)
  %b = Sigmoid(%x)
  %y = Concat(%a, %b) {axis = 1}
  %z = Exp(%y)
}
)";
  EXPECT_EQ(PartNames(read_again), (Names{"y", "z"}));
}

}  // namespace
}  // namespace athanor::quant
