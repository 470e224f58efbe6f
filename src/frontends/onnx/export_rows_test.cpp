// What an older operator set says in another way must compute the same: each graph runs as it is
// and after a trip through the older operator set.
#include <gtest/gtest.h>

#include "frontends/onnx/export.h"
#include "frontends/onnx/import.h"
#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

struct Case {
  const char* name;
  const char* text;
  std::vector<std::int64_t> opsets;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {"SoftmaxOverTheLastAxis", "%y = Softmax(%x)", {7, 11, 12}},
      {"SoftmaxOverAnotherAxis", "%y = Softmax(%x) {axis = 1}", {7, 12}},
      {"LogSoftmaxOverTheFirstAxis", "%y = LogSoftmax(%x) {axis = 0}", {9}},
      {"EvenSplit", "%a, %b = Split(%x) {axis = 1, num_outputs = 2} %y = Sub(%a, %b)", {7, 13, 17}},
      {"UnevenSplit", "%y, %b = Split(%x) {axis = -1, num_outputs = 2}", {7, 13}},
      {"Clip", "const %l: f32[] = -0.25 const %h: f32[] = 0.5 %y = Clip(%x, %l, %h)", {7, 10}},
      {"ClipWithoutLow", "const %h: f32[] = 0.5 %y = Clip(%x, _, %h)", {7}},
      {"Pad",
       "const %p: i64[6] = [0, 1, 0, 2, 0, 1] const %v: f32[] = 3 %y = Pad(%x, %p, %v)",
       {7, 10}},
      {"PadSomeAxes",
       "const %p: i64[2] = [1, 2] const %a: i64[1] = [-1] %y = Pad(%x, %p, _, %a)",
       {7, 11, 17}},
      {"Slice",
       "const %s: i64[1] = [1] const %e: i64[1] = [9] const %a: i64[1] = [-1] %y = Slice(%x, %s, "
       "%e, %a)",
       {7, 9}},
      {"GridSample",
       "const %s: i64[4] = [1, 2, 3, 5] %i = Reshape(%x, %s) const %g: f32[1, 1, 2, 2] = [-0.5, "
       "0.25, 0.75, -1] %y = GridSample(%i, %g) {mode = \"cubic\"}",
       {16, 19}},
      {"SumOverOneAxis", "const %a: i64[1] = [-2] %y = ReduceSum(%x, %a)", {7, 12}},
      {"MeanOverAllAxes", "%y = ReduceMean(%x) {keepdims = 0}", {7, 17}},
      {"TopK", "const %k: i64[1] = [2] %y, %i = TopK(%x, %k) {axis = 1}", {7, 10}},
      {"ShapeOfAPart", "%s = Shape(%x) {start = 1} %y = Cast(%s) {to = f32}", {7, 10, 14}},
      {"GemmWithoutThirdInput",
       "const %f: i64[2] = [6, 5] const %w: f32[5, 3] = random(5) %m = Reshape(%x, %f) "
       "%y = Gemm(%m, %w)",
       {7, 10}},
      {"HardSwish", "%y = HardSwish(%x)", {7, 13}},
      {"Mish", "%y = Mish(%x)", {7, 17}},
      {"Swish", "%y = Swish(%x) {alpha = 1.5}", {7, 23}},
      {"Celu", "%y = Celu(%x) {alpha = 0.7}", {7, 11}},
      {"Gelu", "%y = Gelu(%x)", {9, 19}},
      {"GeluByTanh", "%y = Gelu(%x) {approximate = \"tanh\"}", {7, 19}},
      {"GreaterOrEqual", "%z = Neg(%x) %c = GreaterOrEqual(%x, %z) %y = Cast(%c) {to = f32}", {11}},
      {"LayerNormalization",
       "const %s: f32[5] = random(6) const %b: f32[5] = random(7) %y = LayerNormalization(%x, %s, "
       "%b)",
       {7, 16}},
      {"Attention", "%y = Attention(%x, %x, %x) {q_num_heads = 1, kv_num_heads = 1}", {9, 13, 21}},
      {"CausalAttentionOfHeads",
       "const %f: i64[4] = [1, 2, 3, 5] %h = Reshape(%x, %f) %a = Attention(%h, %h, %h) {is_causal "
       "= 1, scale = 0.7, softcap = 2} %y = Identity(%a)",
       {14, 22}},
      {"AttentionWithNumbersAdded",
       "const %m: f32[3, 3] = random(8) %y = Attention(%x, %x, %x, %m) {q_num_heads = 5, "
       "kv_num_heads = 5}",
       {9, 21}},
      {"AttentionThatSeesNothing",
       "const %m: f32[3, 3] = [1, 0, 1, 0, 0, 0, 0, 1, 0] %s = Cast(%m) {to = bool} "
       "%y = Attention(%x, %x, %x, %s) {q_num_heads = 5, kv_num_heads = 5}",
       {9, 21}},
      {"AttentionWithAShorterMask",
       "const %m: f32[3, 1] = random(8) %y = Attention(%x, %x, %x, %m) {q_num_heads = 5, "
       "kv_num_heads = 5}",
       {13, 21}},
      {"AttentionThatSeesTheFirstKeys",
       "const %m: f32[3, 2] = [1, 0, 1, 1, 0, 1] %s = Cast(%m) {to = bool} "
       "%y = Attention(%x, %x, %x, %s) {q_num_heads = 5, kv_num_heads = 5}",
       {13, 21}},
      {"ProductOfBytesWithAScaleOfTheirOwn",
       "%q, %s, %z = DynamicQuantizeLinear(%x) %a = DequantizeLinear(%q, %s, %z) "
       "const %w: i8[5, 2] = [100, -3, 7, 80, -127, 1, 0, 55, 9, -60] "
       "const %t: f32[2] = [0.01, 0.02] const %o: i8[2] = [3, -9] "
       "%b = DequantizeLinear(%w, %t, %o) %y = MatMul(%a, %b)",
       {11, 13, 21}},
      {"RMSNormalization", "const %s: f32[5] = random(6) %y = RMSNormalization(%x, %s)", {7, 21}},
      {"GroupNormalization",
       "const %s: f32[6] = random(6) const %b: f32[6] = random(7) "
       "const %f: i64[3] = [1, 6, 5] %g = Reshape(%x, %f) "
       "%y = GroupNormalization(%g, %s, %b) {num_groups = 2}",
       {7, 20}},
  };
  return cases;
}

std::vector<float> Values(const Graph& graph, const Tensor& x) {
  Result<std::vector<Datum>> outputs = Evaluate(graph, {Datum(x)});
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  const auto data = (*outputs)[0].tensor().Data<float>();
  return {data.begin(), data.end()};
}

class ExportRows : public testing::TestWithParam<std::size_t> {};

TEST_P(ExportRows, ComputeTheSameInTheOlderOperatorSet) {
  const Case& c = Cases()[GetParam()];
  const Result<Graph> graph =
      ParseText(fmt::format("graph g(x: f32[2, 3, 5]) -> (y) {{ {} }}", c.text), ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  Result<Graph> random =
      ParseText("graph r() -> (x) { const %x: f32[2, 3, 5] = random(1) }", ops::Standard());
  const Tensor x = *random->Constant(random->outputs()[0].value);
  const std::vector<float> expected = Values(*graph, x);
  for (const std::int64_t opset : c.opsets) {
    Result<std::vector<std::uint8_t>> bytes = ExportOnnx(*graph, {.opset = opset});
    ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
    const auto owner = std::make_shared<std::vector<std::uint8_t>>(*std::move(bytes));
    const Result<Graph> again = Import(*owner, owner, {});
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    const std::vector<float> given = Values(*again, x);
    ASSERT_EQ(given.size(), expected.size());
    // Other operators round in other places; nothing else may differ.
    for (std::size_t i = 0; i < given.size(); ++i)
      EXPECT_NEAR(given[i], expected[i], 2e-6F) << "operator set " << opset;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, ExportRows, testing::Range<std::size_t>(0, Cases().size()),
                         [](const auto& info) { return Cases()[info.param].name; });

}  // namespace
}  // namespace athanor::onnx
