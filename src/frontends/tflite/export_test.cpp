#include "frontends/tflite/export.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "frontends/tflite/import.h"
#include "frontends/tflite/op_export.h"
#include "frontends/tflite/tflite_generated.h"
#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::tflite {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

Result<Graph> ReadBack(const Bytes& file) {
  const auto bytes = std::make_shared<Bytes>(file);
  return Import(*bytes, bytes);
}

// How often each operator stands in a file.
std::map<std::string, int> Operators(const Bytes& file) {
  std::map<std::string, int> counts;
  const schema::Model* model = schema::GetModel(file.data());
  const schema::SubGraph* graph = model->subgraphs()->Get(0);
  for (const schema::Operator* op : *graph->operators())
    ++counts[schema::EnumNameBuiltinOperator(
        model->operator_codes()->Get(op->opcode_index())->builtin_code())];
  return counts;
}

Graph Parse(const std::string& text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << text << "\n" << graph.status().ToString();
  return graph.ok() ? *std::move(graph) : Graph(ops::Standard());
}

Bytes Written(const Graph& graph) {
  Result<Bytes> file = ExportTflite(graph);
  EXPECT_TRUE(file.ok()) << file.status().ToString();
  return file.ok() ? *std::move(file) : Bytes();
}

Floats Answers(const Graph& graph, const Tensor& x) {
  const Result<std::vector<Datum>> outputs = Evaluate(graph, {Datum(x)});
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  const auto values = ToDoubles((*outputs)[0].tensor());
  EXPECT_TRUE(values.ok());
  return {values->begin(), values->end()};
}

struct Case {
  const char* name;
  const char* text;
};

// Over x: f32[2, 4, 6, 5], whose reference is the measure.
constexpr Case kCases[] = {
    {"Conv",
     "const %w: f32[3, 4, 3, 2] = random(1) const %b: f32[3] = random(2) "
     "%y = Conv(%x, %w, %b) {pads = [1, 0, 1, 1], strides = [2, 1]}"},
    {"ConvOfOddPadding",
     "const %w: f32[3, 4, 3, 3] = random(1) "
     "%y = Conv(%x, %w) {pads = [2, 0, 0, 1]}"},
    {"ConvThatDilates",
     "const %w: f32[3, 4, 2, 2] = random(1) "
     "%y = Conv(%x, %w) {dilations = [2, 2]}"},
    {"ConvInGroups", "const %w: f32[6, 2, 2, 2] = random(1) %y = Conv(%x, %w) {group = 2}"},
    {"ConvByChannel",
     "const %w: f32[8, 1, 3, 3] = random(1) "
     "%y = Conv(%x, %w) {group = 4, pads = [1, 1, 1, 1]}"},
    {"ConvAndRelu", "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) %y = Relu(%c)"},
    {"ConvOverOneAxis",
     "const %s: i64[3] = [2, 24, 5] %r = Reshape(%x, %s) "
     "const %w: f32[3, 24, 3] = random(1) %y = Conv(%r, %w) {pads = [2, 0]}"},
    {"ConvTranspose",
     "const %w: f32[4, 3, 3, 3] = random(1) const %b: f32[3] = random(2) "
     "%y = ConvTranspose(%x, %w, %b) {strides = [2, 2]}"},
    {"ConvTransposePadded",
     "const %w: f32[4, 3, 3, 2] = random(1) "
     "%y = ConvTranspose(%x, %w) {strides = [2, 3], pads = [1, 1, 1, 0], "
     "output_padding = [1, 2]}"},
    {"ConvTransposeInGroups",
     "const %w: f32[4, 2, 2, 2] = random(1) const %b: f32[4] = random(2) "
     "%y = ConvTranspose(%x, %w, %b) {group = 2, strides = [2, 2]}"},
    {"MaxPool", "%y = MaxPool(%x) {kernel_shape = [3, 2], pads = [1, 1, 1, 0], strides = [2, 1]}"},
    {"MaxPoolRoundedUp",
     "%y = MaxPool(%x) {kernel_shape = [2, 2], strides = [4, 2], "
     "ceil_mode = 1}"},
    {"AveragePool", "%y = AveragePool(%x) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}"},
    {"AveragePoolOfOddPadding",
     "%y = AveragePool(%x) {kernel_shape = [3, 3], "
     "pads = [2, 0, 1, 1], strides = [2, 2]}"},
    {"AveragePoolThatCounts",
     "%y = AveragePool(%x) {kernel_shape = [3, 3], "
     "pads = [1, 1, 1, 1], count_include_pad = 1}"},
    {"AveragePoolRoundedUp",
     "%y = AveragePool(%x) {kernel_shape = [3, 3], strides = [2, 2], "
     "pads = [1, 1, 1, 1], ceil_mode = 1, count_include_pad = 1}"},
    {"GlobalPools", "%a = GlobalAveragePool(%x) %b = GlobalMaxPool(%x) %y = Sub(%a, %b)"},
    {"NearestTwice",
     "const %f: f32[4] = [1, 1, 2, 2] %y = Resize(%x, _, %f) {mode = \"nearest\", "
     "coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"}"},
    {"NearestOddly",
     "const %s: i64[4] = [2, 4, 5, 9] %y = Resize(%x, _, _, %s) "
     "{mode = \"nearest\", nearest_mode = \"ceil\"}"},
    {"Linear", "const %s: i64[4] = [2, 4, 9, 7] %y = Resize(%x, _, _, %s) {mode = \"linear\"}"},
    {"LinearToTheCorners",
     "const %s: i64[4] = [2, 4, 9, 7] %y = Resize(%x, _, _, %s) "
     "{mode = \"linear\", coordinate_transformation_mode = \"align_corners\"}"},
    {"BatchNormalization",
     "const %s: f32[4] = random(1) const %b: f32[4] = random(2) "
     "const %m: f32[4] = random(3) const %v: f32[4] = [1, 2, 3, 4] "
     "%y = BatchNormalization(%x, %s, %b, %m, %v)"},
    {"InstanceNormalization",
     "const %s: f32[4] = random(1) const %b: f32[4] = random(2) "
     "%y = InstanceNormalization(%x, %s, %b)"},
    {"GroupNormalization",
     "const %s: f32[4] = random(1) const %b: f32[4] = random(2) "
     "%y = GroupNormalization(%x, %s, %b) {num_groups = 2}"},
    {"LayerNormalization",
     "const %s: f32[6, 5] = random(1) const %b: f32[6, 5] = random(2) "
     "%y = LayerNormalization(%x, %s, %b) {axis = 2}"},
    {"RMSNormalization", "const %s: f32[5] = random(1) %y = RMSNormalization(%x, %s)"},
    {"LRN", "%y = LRN(%x) {size = 3, alpha = 0.5, beta = 0.6, bias = 2}"},
    {"LpNormalization", "%y = LpNormalization(%x) {axis = 1}"},
    {"AddOfAColumn",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %a: f32[3, 1, 1] = random(2) %y = Add(%c, %a)"},
    {"MulOfTwoOrders", "const %w: f32[4, 4, 1, 1] = random(1) %c = Conv(%x, %w) %y = Mul(%c, %x)"},
    {"SumOfThree", "%n = Neg(%x) %y = Sum(%x, %n, %x)"},
    {"Clip", "const %l: f32[] = -0.25 const %h: f32[] = 0.5 %y = Clip(%x, %l, %h)"},
    {"PRelu",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %s: f32[3, 1, 1] = random(2) %y = PRelu(%c, %s)"},
    {"Activations",
     "%a = Elu(%x) {alpha = 0.5} %b = Selu(%a) %c = Celu(%b) {alpha = 0.7} "
     "%d = Softplus(%c) %e = Mish(%d) %y = Softsign(%e)"},
    {"MoreActivations",
     "%a = HardSigmoid(%x) %b = HardSwish(%x) %c = Swish(%x) {alpha = 1.5} "
     "%d = Gelu(%x) %e = LeakyRelu(%x) %f = ThresholdedRelu(%x) {alpha = 0.3} "
     "%y = Sum(%a, %b, %c, %d, %e, %f)"},
    {"Erf", "%y = Erf(%x)"},
    {"Tan", "%y = Tan(%x)"},
    {"Softmax", "%y = Softmax(%x) {axis = 1}"},
    {"SoftmaxBehindConv",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "%y = Softmax(%c) {axis = 1}"},
    {"LogSoftmax", "%y = LogSoftmax(%x) {axis = 2}"},
    {"MeanOfPlaces",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %a: i64[2] = [2, 3] %y = ReduceMean(%c, %a) {keepdims = 0}"},
    {"MaxOfOneAxis",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %a: i64[1] = [-1] %y = ReduceMax(%c, %a) {keepdims = 0}"},
    {"LogSumExp", "const %a: i64[1] = [1] %y = ReduceLogSumExp(%x, %a)"},
    {"L2", "%y = ReduceL2(%x)"},
    {"ArgMax",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "%y = ArgMax(%c) {axis = 1, keepdims = 0}"},
    {"ArgMinKept", "%y = ArgMin(%x) {axis = 2}"},
    {"CumSum", "const %a: i64[] = 1 %y = CumSum(%x, %a) {reverse = 1}"},
    {"TopK", "const %k: i64[1] = [3] %y, %i = TopK(%x, %k) {largest = 0}"},
    {"Gemm",
     "const %s: i64[2] = [8, 30] %r = Reshape(%x, %s) const %w: f32[30, 7] = random(1) "
     "const %b: f32[7] = random(2) %y = Gemm(%r, %w, %b) {alpha = 0.5}"},
    {"MatMulOfConstant", "const %w: f32[5, 7] = random(1) %y = MatMul(%x, %w)"},
    {"MatMulOfTwo", "%t = Transpose(%x) {perm = [0, 1, 3, 2]} %y = MatMul(%x, %t)"},
    {"Attention", "%y = Attention(%x, %x, %x) {is_causal = 1}"},
    {"AttentionInHeads",
     "const %s: i64[3] = [2, 6, 20] %r = Reshape(%x, %s) "
     "%y = Attention(%r, %r, %r) {q_num_heads = 4, kv_num_heads = 4}"},
    {"TransposeOdd", "%y = Transpose(%x) {perm = [3, 1, 0, 2]}"},
    {"ConcatOfChannels",
     "const %w: f32[3, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "%y = Concat(%c, %x) {axis = 1}"},
    {"SplitOfChannels",
     "const %w: f32[5, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %l: i64[2] = [2, 3] %a, %b = Split(%c, %l) {axis = 1} %y = Neg(%b)"},
    {"SliceOfChannels",
     "const %w: f32[5, 4, 1, 1] = random(1) %c = Conv(%x, %w) "
     "const %s: i64[2] = [-2, 5] const %e: i64[2] = [9, -9] "
     "const %a: i64[2] = [1, 2] const %t: i64[2] = [1, -2] "
     "%y = Slice(%c, %s, %e, %a, %t)"},
    {"Pad", "const %p: i64[8] = [0, 1, 0, 2, 0, 0, 1, 1] const %v: f32[] = 3 %y = Pad(%x, %p, %v)"},
    {"PadByReflection",
     "const %p: i64[8] = [0, 0, 1, 2, 0, 0, 2, 1] "
     "%y = Pad(%x, %p) {mode = \"reflect\"}"},
    {"PadByTheEdge",
     "const %p: i64[8] = [0, 0, 1, 2, 0, 0, 2, 1] "
     "%y = Pad(%x, %p) {mode = \"edge\"}"},
    {"Gather", "const %i: i64[3] = [-1, 0, 2] %y = Gather(%x, %i) {axis = 1}"},
    {"GatherElements",
     "%i = ArgMax(%x) {axis = 2} "
     "%y = GatherElements(%x, %i) {axis = 2}"},
    {"GatherND", "const %i: i64[2, 2] = [0, 1, 1, 3] %y = GatherND(%x, %i)"},
    {"ScatterND",
     "const %i: i64[2, 1] = [1, 0] const %u: f32[2, 4, 6, 5] = random(4) "
     "%y = ScatterND(%x, %i, %u)"},
    {"Where", "const %z: f32[] = 0.1 %c = Greater(%x, %z) %n = Neg(%x) %y = Where(%c, %x, %n)"},
    {"Expand", "const %s: i64[5] = [3, 2, 4, 6, 5] %y = Expand(%x, %s)"},
    {"Tile", "const %t: i64[4] = [1, 2, 1, 3] %y = Tile(%x, %t)"},
    {"DepthToSpace", "%y = DepthToSpace(%x) {blocksize = 2}"},
    {"DepthToSpaceByColumns", "%y = DepthToSpace(%x) {blocksize = 2, mode = \"CRD\"}"},
    {"OneHot",
     "const %k: i64[] = 6 %a = ArgMax(%x) {axis = 2} const %v: f32[2] = [-1, 2] "
     "%y = OneHot(%a, %k, %v)"},
    {"NonZero", "%r = Relu(%x) %z = NonZero(%r) %y = Cast(%z) {to = f32}"},
    {"Trilu", "%y = Trilu(%x) {upper = 0}"},
    {"Integers", "%s = Shape(%x) {start = 1} %d = Div(%s, %s) %m = Mod(%s, %d) %y = Add(%m, %s)"},
    {"Lstm",
     "const %s: i64[3] = [4, 2, 30] %r = Reshape(%x, %s) const %w: f32[2, 12, 30] = "
     "random(1) const %h: f32[2, 12, 3] = random(2) const %b: f32[2, 24] = random(3) "
     "%y, %l = LSTM(%r, %w, %h, %b) {hidden_size = 3, direction = \"bidirectional\"}"},
    {"LstmStepByStep",
     "const %s: i64[3] = [4, 2, 30] %r = Reshape(%x, %s) const %w: f32[1, 12, "
     "30] = random(1) const %h: f32[1, 12, 3] = random(2) const %b: f32[1, 24] = "
     "random(3) const %i: f32[1, 2, 3] = random(4) "
     "%a, %l, %y = LSTM(%r, %w, %h, %b, _, %i, %i) {hidden_size = 3}"},
    {"Gru",
     "const %s: i64[3] = [4, 2, 30] %r = Reshape(%x, %s) const %w: f32[1, 9, 30] = "
     "random(1) const %h: f32[1, 9, 3] = random(2) const %b: f32[1, 18] = random(3) "
     "%y = GRU(%r, %w, %h, %b) {hidden_size = 3, direction = \"reverse\"}"},
    {"GruLinear",
     "const %s: i64[3] = [4, 2, 30] %r = Reshape(%x, %s) const %w: f32[1, 9, 30] = "
     "random(1) const %h: f32[1, 9, 3] = random(2) const %b: f32[1, 18] = random(3) "
     "%y = GRU(%r, %w, %h, %b) {hidden_size = 3, linear_before_reset = 1}"},
};

class TfliteExport : public testing::TestWithParam<Case> {};

TEST_P(TfliteExport, ComputesTheSameWhenItIsReadBack) {
  const Graph graph =
      Parse("graph g(x: f32[2, 4, 6, 5]) -> (y) { " + std::string(GetParam().text) + " }");
  std::vector<float> numbers(240);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<float>((i * 37) % 101) / 50.0F - 1.0F;
  const Tensor x = Tensor::FromVector<float>({2, 4, 6, 5}, numbers);
  const Result<Graph> again = ReadBack(Written(graph));
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  const Floats expected = Answers(graph, x), got = Answers(*again, x);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], 2e-5F * (1 + std::abs(expected[i]))) << i;
}

INSTANTIATE_TEST_SUITE_P(Rows, TfliteExport, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(TfliteExport, PicturesStayNhwcBetweenConvolutions) {
  const Graph graph = Parse(
      "graph g(x: f32[1, 3, 8, 8]) -> (y) { const %v: f32[4, 3, 3, 3] = random(1) "
      "const %w: f32[4, 4, 3, 3] = random(2) %a = Conv(%x, %v) {pads = [1, 1, 1, 1]} %b = Relu(%a) "
      "%c = Conv(%b, %w) {pads = [1, 1, 1, 1]} %y = Add(%c, %b) }");
  const std::map<std::string, int> expected = {{"ADD", 1}, {"CONV_2D", 2}, {"TRANSPOSE", 2}};
  EXPECT_EQ(Operators(Written(graph)), expected);
}

// What `athanor quantize` makes: no float between the first and the last operator.
TEST(TfliteExport, PairsBecomeOperatorsOnSignedBytes) {
  const Graph graph = Parse(R"(graph g(x: f32[1, 2, 4, 4]) -> (y) {
      const %s: f32[] = 0.0078125 const %z: u8[] = 128
      %q = QuantizeLinear(%x, %s, %z) %d = DequantizeLinear(%q, %s, %z)
      const %w: i8[3, 2, 1, 1] = [1, -2, 3, 4, -127, 127] const %ws: f32[3] = [0.5, 0.25, 0.125]
      const %wz: i8[3] = [0, 0, 0] %wd = DequantizeLinear(%w, %ws, %wz) {axis = 0}
      %c = Conv(%d, %wd) %r = Relu(%c)
      const %t: f32[] = 0.03125 const %u: u8[] = 0
      %p = QuantizeLinear(%r, %t, %u) %y = DequantizeLinear(%p, %t, %u) })");
  const Bytes file = Written(graph);
  const std::map<std::string, int> expected = {
      {"CONV_2D", 1}, {"DEQUANTIZE", 1}, {"QUANTIZE", 1}, {"TRANSPOSE", 2}};
  EXPECT_EQ(Operators(file), expected);
  const schema::SubGraph* subgraph = schema::GetModel(file.data())->subgraphs()->Get(0);
  int signed_bytes = 0;
  for (const schema::Tensor* tensor : *subgraph->tensors())
    signed_bytes += tensor->type() == schema::TensorType_INT8 ? 1 : 0;
  EXPECT_EQ(signed_bytes, 5);  // what is quantised, twice in two orders of axes, and the weights
  const Result<Graph> again = ReadBack(file);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  const Tensor x = Tensor::FromVector<float>({1, 2, 4, 4}, Floats(32, 0.5F));
  // 0.5 * (0.5 - 1), 0.5 * (0.75 + 1) and 0.5 * (-127 + 127) / 8, none of them between two steps
  const Floats got = Answers(*again, x);
  ASSERT_EQ(got.size(), 48U);
  EXPECT_EQ(got[0], 0.0F);
  EXPECT_EQ(got[16], 0.875F);
  EXPECT_EQ(got[32], 0.0F);
}

TEST(TfliteExport, LargeWeightsStandBehindTheFlatbuffer) {
  const Graph graph =
      Parse("graph g(x: f32[1, 4]) -> (y) { const %w: f32[4, 3] = random(1) %y = MatMul(%x, %w) }");
  const Result<Bytes> inside = ExportTflite(graph), outside = ExportTflite(graph, 16);
  ASSERT_TRUE(inside.ok() && outside.ok());
  const auto offset = [](const Bytes& file) {
    return schema::GetModel(file.data())->buffers()->Get(1)->offset();
  };
  EXPECT_EQ(offset(*inside), 0U);
  EXPECT_GT(offset(*outside), 1U);
  const Result<Graph> again = ReadBack(*outside);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  const Tensor x = Tensor::FromVector<float>({1, 4}, {1, 2, 3, 4});
  EXPECT_EQ(Answers(*again, x), Answers(*ReadBack(*inside), x));
}

TEST(TfliteExport, OutputsKeepTheirNamesWhateverTheyAre) {
  const Graph graph = Parse("graph g(x: f32[2, 3]) -> (y) { %y = Neg(%x) }");
  Graph named = graph.Clone();
  named.AddOutput("input", named.inputs()[0]);
  named.AddOutput("again", named.outputs()[0].value);
  const Result<Graph> again = ReadBack(Written(named));
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  std::vector<std::string> names;
  for (const GraphOutput& output : again->outputs()) names.push_back(output.name);
  EXPECT_EQ(names.back(), "again");
  EXPECT_EQ(names[names.size() - 2], "input");
}

TEST(TfliteExport, NamesEveryNodeThatIsNotWritten) {
  const Graph graph =
      Parse("graph g(x: f32[2, 2]) -> (y) { %a = Det(%x) @first %y = Sinh(%a) @second }");
  const std::string problem = ExportTflite(graph).status().ToString();
  EXPECT_NE(problem.find("\"first\" (Det)"), std::string::npos) << problem;
  EXPECT_NE(problem.find("\"second\" (Sinh)"), std::string::npos) << problem;
}

TEST(TfliteExport, EveryRowStandsOnceInOrder) {
  for (std::size_t i = 1; i < ExportTable().size(); ++i)
    EXPECT_LT(ExportTable()[i - 1].op, ExportTable()[i].op);
  for (const ExportRow& row : ExportTable())
    EXPECT_NE(ops::Standard().Find(row.op), nullptr) << row.op;
}

}  // namespace
}  // namespace athanor::tflite
