#include "passes/lower_qdq.h"

#include "ir/quantized.h"
#include "passes/testing.h"

namespace athanor::passes {
namespace {

Graph Lowered(const Graph& graph, int expected) {
  Graph lowered = graph.Clone();
  const Result<int> count = LowerQdq(lowered, {.accepts = [](const OpDef&) { return true; }});
  EXPECT_TRUE(count.ok()) << count.status().ToString();
  EXPECT_EQ(count.ok() ? *count : -1, expected) << PrintText(lowered);
  EXPECT_TRUE(Verify(lowered).ok()) << Verify(lowered).ToString();
  return lowered;
}

std::size_t CountOf(const Graph& graph, std::string_view op) {
  std::size_t count = 0;
  const std::vector<NodeId> order = *graph.Order();
  for (const NodeId id : order) count += graph.node(id).op->name == op ? 1 : 0;
  return count;
}

constexpr std::string_view kConv = R"(
graph main(x: u8[1, 3, 5, 5]) -> (y: u8[1, 4, 5, 5]) {
  const %sx: f32[] = [0.02]
  const %zx: u8[] = [120]
  const %w: i8[4, 3, 3, 3] = random(3)
  const %sw: f32[4] = [0.01, 0.02, 0.005, 0.03]
  const %b: i32[4] = [100, -50, 0, 7]
  const %sb: f32[4] = [0.0002, 0.0004, 0.0001, 0.0006]
  const %sy: f32[] = [0.05]
  const %zy: u8[] = [10]
  %xr = DequantizeLinear(%x, %sx, %zx)
  %wr = DequantizeLinear(%w, %sw) {axis = 0}
  %br = DequantizeLinear(%b, %sb) {axis = 0}
  %c = Conv(%xr, %wr, %br) {pads = [1, 1, 1, 1]} @first
  %r = Relu(%c)
  %y = QuantizeLinear(%r, %sy, %zy)
}
)";

TEST(LowerQdq, ComputesAConvolutionOnIntegersAndGivesTheSame) {
  const Graph graph = Parse(kConv);
  const Graph lowered = Lowered(graph, 1);
  ASSERT_EQ(lowered.num_nodes(), 1U);
  const Node& conv = lowered.node((*lowered.Order())[0]);
  EXPECT_EQ(conv.name, "first");
  const Result<QuantSpec> spec = ReadQuantSpec(conv.attributes);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->inputs[1].scales.size(), 4U);
  EXPECT_EQ(spec->inputs[2].dtype, DType::kI32);
  ASSERT_TRUE(spec->clamp);
  EXPECT_EQ(spec->clamp->low, 10);
  for (unsigned seed = 1; seed < 5; ++seed) ExpectSameResults(graph, lowered, seed, 0);
}

TEST(LowerQdq, PrintsAndParsesWhatItMade) {
  const Graph lowered = Lowered(Parse(kConv), 1);
  const Graph again = Parse(PrintText(lowered));
  EXPECT_EQ(PrintText(again), PrintText(lowered));
  ExpectSameResults(lowered, again, 7, 0);
}

TEST(LowerQdq, LimitsOfChannelsBecomeIntegers) {
  std::string text(kConv);
  text.replace(text.find("  %y ="), 0,
               "  const %most: f32[4, 1, 1] = [0.5, 3, 0.013, 100]\n  %m = Min(%r, %most)\n");
  text.replace(text.find("QuantizeLinear(%r"), 17, "QuantizeLinear(%m");
  const Graph graph = Parse(text);
  const Graph lowered = Lowered(graph, 1);
  EXPECT_EQ(lowered.num_nodes(), 2U) << PrintText(lowered);
  EXPECT_EQ(CountOf(lowered, "QuantizeLinear"), 0U);
  for (unsigned seed = 1; seed < 5; ++seed) ExpectSameResults(graph, lowered, seed, 0);
}

TEST(LowerQdq, ProductsMayEndWithFunctionsOfRealNumbers) {
  std::string text(kConv);
  text.replace(text.find("Relu(%c)"), 8, "Swish(%c)");
  const Graph graph = Parse(text);
  LowerQdqOptions options = {.accepts = [](const OpDef&) { return true; }};
  Graph lowered = graph.Clone();
  EXPECT_EQ(*LowerQdq(lowered, options), 0);  // nobody says that they may
  options.may_end_with = [](const OpDef& product, const OpDef& function) {
    return product.name == "Conv" && function.name == "Swish";
  };
  EXPECT_EQ(*LowerQdq(lowered, options), 1);
  ASSERT_TRUE(Verify(lowered).ok()) << Verify(lowered).ToString();
  ASSERT_EQ(lowered.num_nodes(), 2U) << PrintText(lowered);
  for (unsigned seed = 1; seed < 5; ++seed) ExpectSameResults(graph, lowered, seed, 0);

  // Somebody else wants the real numbers too.
  text.replace(text.find("(y: u8[1, 4, 5, 5])"), 19, "(y: u8[1, 4, 5, 5], c: f32[1, 4, 5, 5])");
  Graph shared = Parse(text);
  EXPECT_EQ(*LowerQdq(shared, options), 0);
}

TEST(LowerQdq, KeepsPairsOfOperatorsThatAreNotAccepted) {
  Graph graph = Parse(kConv);
  EXPECT_EQ(*LowerQdq(graph, {}), 0);
  EXPECT_EQ(CountOf(graph, "DequantizeLinear"), 3U);
}

TEST(LowerQdq, MovesIntegersOfOneScaleWithoutPairs) {
  const Graph graph = Parse(R"(
graph main(x: u8[2, 6]) -> (y: u8[2, 5], z: u8[2, 3]) {
  const %s: f32[] = [0.5]
  const %zero: u8[] = [7]
  const %pads: i64[4] = [0, 1, 0, 1]
  const %sizes: i64[2] = [3, 3]
  %r = DequantizeLinear(%x, %s, %zero)
  %a, %b = Split(%r, %sizes) {axis = 1}
  %p = Pad(%a, %pads)
  %y = QuantizeLinear(%p, %s, %zero)
  %z = QuantizeLinear(%b, %s, %zero)
}
)");
  // Split stays twice: one half feeds Pad in float.
  const Graph lowered = Lowered(graph, 1);
  ExpectSameResults(graph, lowered, 3, 0);
}

// Interpolation computes between the pairs; the nearest element is moved, whatever the scales say.
TEST(LowerQdq, MovesTheNearestElements) {
  const std::string text = R"(
graph main(x: u8[1, 2, 3, 4]) -> (y: u8[1, 2, 6, 8]) {
  const %s: f32[] = [0.5]
  const %zero: u8[] = [7]
  const %factors: f32[4] = [1, 1, 2, 2]
  %r = DequantizeLinear(%x, %s, %zero)
  %a = Resize(%r, _, %factors) {mode = "nearest"}
  %y = QuantizeLinear(%a, %s, %zero)
}
)";
  for (const char* mode : {"nearest", "linear"}) {
    std::string of_mode = text;
    of_mode.replace(of_mode.find("nearest"), 7, mode);
    const Graph graph = Parse(of_mode);
    const Graph lowered = Lowered(graph, 1);
    ASSERT_EQ(lowered.num_nodes(), 1U) << PrintText(lowered);
    const Node& node = lowered.node(lowered.Order()->front());
    EXPECT_EQ(HasQuantSpec(node.attributes), std::string(mode) == "linear");
    ExpectSameResults(graph, lowered, 3, 0);
  }
}

TEST(LowerQdq, FillsWithTheIntegerOfZero) {
  const Graph graph = Parse(R"(
graph main(x: u8[2, 3]) -> (y: u8[2, 5]) {
  const %s: f32[] = [0.5]
  const %zero: u8[] = [7]
  const %pads: i64[4] = [0, 1, 0, 1]
  %r = DequantizeLinear(%x, %s, %zero)
  %p = Pad(%r, %pads)
  %y = QuantizeLinear(%p, %s, %zero)
}
)");
  const Graph lowered = Lowered(graph, 1);
  EXPECT_EQ(lowered.num_nodes(), 1U);
  ExpectSameResults(graph, lowered, 3, 0);
}

TEST(LowerQdq, TurnsAPairAloneIntoAChangeOfScale) {
  const Graph graph = Parse(R"(
graph main(x: u8[2, 3]) -> (y: i8[2, 3], z: u8[2, 3]) {
  const %s: f32[] = [0.5]
  const %zero: u8[] = [7]
  const %t: f32[] = [0.75]
  const %minus: i8[] = [-3]
  %r = DequantizeLinear(%x, %s, %zero)
  %c = Relu(%r)
  %y = QuantizeLinear(%c, %t, %minus)
  %z = QuantizeLinear(%r, %s, %zero)
}
)");
  const Graph lowered = Lowered(graph, 2);
  EXPECT_EQ(CountOf(lowered, "Identity"), 1U);
  EXPECT_EQ(lowered.num_nodes(), 1U);
  ExpectSameResults(graph, lowered, 3, 0);
}

TEST(LowerQdq, KeepsFloatWhereRealNumbersHaveAnotherReader) {
  const Graph graph = Parse(R"(
graph main(x: u8[2, 3]) -> (y: u8[2, 3], r: f32[2, 3]) {
  const %s: f32[] = [0.5]
  %d = DequantizeLinear(%x, %s)
  %r = Sigmoid(%d)
  %y = QuantizeLinear(%r, %s)
}
)");
  EXPECT_EQ(PrintText(Lowered(graph, 0)), PrintText(graph));
}

TEST(LowerQdq, SaysThatAnOperatorHasNoFixedPointForm) {
  const Graph graph = Parse(R"(
graph main(x: u8[2, 3]) -> (y: u8[2, 3]) {
  const %s: f32[] = [0.5]
  %d = DequantizeLinear(%x, %s)
  %r = Erf(%d)
  %y = QuantizeLinear(%r, %s) {arithmetic = "fixed31"}
}
)");
  Graph lowered = graph.Clone();
  EXPECT_EQ(*LowerQdq(lowered, {}), 1);
  const Result<std::vector<Datum>> result = Evaluate(lowered, RandomInputs(lowered, 1));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), ErrorCode::kUnsupported);
  EXPECT_NE(result.status().message().find("fixed31"), std::string::npos);
}

}  // namespace
}  // namespace athanor::passes
