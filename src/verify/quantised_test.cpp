#include "verify/quantised.h"

#include <fmt/format.h>
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

// A graph whose input is read by what `body` says, with quantisers of steps of 1/2 and 1/4.
std::optional<RealRange> RangeWhere(std::string_view outputs, std::string_view body) {
  return RangeOf(fmt::format(R"(graph g(x: f32[4]) -> ({}) {{
    const %half: f32[] = 0.5
    const %quarter: f32[] = 0.25
    const %zero: i8[] = 0
    const %low: i8[] = 127
    {}
  }})",
                             outputs, body));
}

TEST(RangeOfInput, IsTheWidestOfAllReaders) {
  const std::string_view outputs = "y: i8[4], z: i8[4]";
  for (const std::string_view body :
       {"%y = QuantizeLinear(%x, %half, %zero)\n %z = QuantizeLinear(%x, %quarter, %zero)",
        "%y = QuantizeLinear(%x, %quarter, %zero)\n %i = Identity(%x)\n"
        "%z = QuantizeLinear(%i, %half, %zero)"}) {
    const std::optional<RealRange> range = RangeWhere(outputs, body);
    ASSERT_TRUE(range.has_value()) << body;
    EXPECT_DOUBLE_EQ(range->low, -64);
    EXPECT_DOUBLE_EQ(range->high, 63.5);
    EXPECT_DOUBLE_EQ(range->step, 0.5);
  }
  // -32 to 31.75, and (-128 - 127) / 2 to 0: neither holds the other.
  const std::optional<RealRange> both = RangeWhere(
      outputs, "%y = QuantizeLinear(%x, %quarter, %zero)\n %z = QuantizeLinear(%x, %half, %low)");
  ASSERT_TRUE(both.has_value());
  EXPECT_DOUBLE_EQ(both->low, -127.5);
  EXPECT_DOUBLE_EQ(both->high, 31.75);
}

TEST(RangeOfInput, IsNotThereWhereSomethingElseReadsToo) {
  const std::string_view pair = "%y = QuantizeLinear(%x, %half, %zero)\n";
  EXPECT_TRUE(RangeWhere("y: i8[4]", pair).has_value());
  EXPECT_TRUE(
      RangeWhere("y: i8[4], z: i64[1]", fmt::format("{} %z = Shape(%x)", pair)).has_value());
  for (const std::string_view other :
       {"%z = Relu(%x)", "%z = Identity(%x)", "%i = Identity(%x)\n %z = Add(%half, %i)"})
    EXPECT_EQ(RangeWhere("y: i8[4], z: f32[4]", fmt::format("{} {}", pair, other)), std::nullopt)
        << other;
}

}  // namespace
}  // namespace athanor
