#include "verify/quantised.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

std::optional<RealRange> RangeOf(std::string_view text) {
  const Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return RangeOfInput(*graph, graph->inputs()[0]);
}

// (0 - 64) / 128 to (255 - 64) / 128
TEST(RangeOfInput, IsWhatTheIntegersStandFor) {
  const std::optional<RealRange> real = RangeOf(R"(graph g(x: f32[1, 4]) -> (y: u8[4]) {
    const %scale: f32[] = 0.0078125
    const %zero: u8[] = 64
    %flat = Flatten(%x)
    %row = Squeeze(%flat)
    %y = QuantizeLinear(%row, %scale, %zero)
  })");
  ASSERT_TRUE(real.has_value());
  EXPECT_DOUBLE_EQ(real->low, -0.5);
  EXPECT_DOUBLE_EQ(real->high, 191.0 / 128);
  EXPECT_DOUBLE_EQ(real->step, 1.0 / 128);
  const std::optional<RealRange> integers = RangeOf(R"(graph g(x: i8[4]) -> (y: f32[4]) {
    const %scale: f32[] = 0.5
    %y = DequantizeLinear(%x, %scale)
  })");
  ASSERT_TRUE(integers.has_value());
  EXPECT_DOUBLE_EQ(integers->low, -64);
  EXPECT_DOUBLE_EQ(integers->high, 63.5);
}

TEST(RangeOfInput, IsNotThereWhereFloatsAreRead) {
  EXPECT_EQ(RangeOf("graph g(x: f32[4]) -> (y: f32[4]) {\n %y = Relu(%x)\n}"), std::nullopt);
  // One range for each channel is none.
  EXPECT_EQ(RangeOf(R"(graph g(x: f32[2, 2]) -> (y: u8[2, 2]) {
    const %scale: f32[2] = [1, 2]
    const %zero: u8[2] = [0, 0]
    %y = QuantizeLinear(%x, %scale, %zero)
  })"),
            std::nullopt);
}

}  // namespace
}  // namespace athanor
