#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/mnn/import.h"
#include "frontends/mnn/model_for_test.h"
#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

using Floats = std::vector<float>;

Result<Graph> Read(const NetMaker& maker) {
  const auto bytes = maker.Bytes();
  EXPECT_TRUE(IsMnn(*bytes));
  return Import(*bytes, bytes);
}

// x = (1 2 | 3 4): 1 + 2 * 3 + 0.5 and 2 + 2 * 4 + 0.5 are 7.5 and 10.5; 3 - 1 - 1 and 4 - 2 - 1
// are 1.
TEST(MnnImport, SmallNetworkAnswersAsComputedByHand) {
  const auto graph = Read(SmallNet());
  EXPECT_EQ(Answer(graph, {1, 2, 1, 2}, {1, 2, 3, 4}), (Floats{19, 21}));
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
  EXPECT_EQ(graph->outputs()[0].name, "y");
}

TEST(MnnImport, OutputsAreThoseTheFileNames) {
  NetMaker m = SmallNet();
  m.net.output_names = {"y", "c"};
  const auto graph = Read(m);
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  ASSERT_EQ(graph->outputs().size(), 2U);
  EXPECT_EQ(graph->outputs()[1].name, "c");
}

// Two filters of two weights, in each way that a file can hold them; the picture is (1, 10).
Floats WithWeights(schema::QuantizedWeightsT packed) {
  NetMaker m;
  const std::int32_t x = m.Input("x", {1, 2, 1, 1});
  schema::Convolution2DT layer = SmallLayer({}, {0, 0});
  layer.quantized = std::make_unique<schema::QuantizedWeightsT>(std::move(packed));
  m.Add(schema::OpType_Convolution, {x}, "c", schema::Parameter_Convolution2D, std::move(layer));
  return Answer(Read(m), {1, 2, 1, 1}, {1, 10});
}

schema::QuantizedWeightsT Packed(std::int32_t type, std::vector<std::int8_t> buffer, Floats alpha) {
  schema::QuantizedWeightsT packed;
  packed.type = type;
  packed.buffer = std::move(buffer);
  packed.alpha = std::move(alpha);
  packed.quant_scale = 1;
  return packed;
}

// [2, 2] weights; a table of -3 -1 0 2 5; places 4 0 1 3 of 3 bits each: 5 -3 | -1 2, times 0.5
// | 2.
TEST(MnnImport, PackedWeightsAreThoseOfTheTable) {
  std::vector<std::int8_t> buffer = {2, 2, 0, 2, 0, 5, -3, -1, 0, 2, 5};
  buffer.push_back(static_cast<std::int8_t>(0b10000000));  // 100 000 00
  buffer.push_back(static_cast<std::int8_t>(0b10110000));  // 1 011
  EXPECT_EQ(WithWeights(Packed(1, buffer, {0.5F, 2})), (Floats{2.5F - 15, -2 + 40}));
}

// w = smallest + (q + 128) * scale: -1 -0.5 | 14 16
TEST(MnnImport, PackedWeightsMayHaveASmallestValue) {
  schema::QuantizedWeightsT packed = Packed(4, {-128, -127, -126, -125}, {-1, 0.5F, 10, 2});
  packed.read_type = 2;
  EXPECT_EQ(WithWeights(packed), (Floats{-1 - 5, 14 + 160}));
}

// Weights 7 at place 1 and -7 at place 3: steps 1 and 2 of 2 bits, then the table and its places.
TEST(MnnImport, WeightsThatAreMostlyZeroSayTheOthers) {
  std::vector<std::int8_t> buffer = {2, 2, 0, 2, 0, 2, 0, 0, 0, 2};
  buffer.push_back(0b01100000);
  for (const std::int8_t byte : {2, -7, 7}) buffer.push_back(byte);
  buffer.push_back(static_cast<std::int8_t>(0b10000000));
  EXPECT_EQ(WithWeights(Packed(2, buffer, {1, 2})), (Floats{70, -140}));
}

TEST(MnnImport, WeightsOfHalfPrecisionAreWidened) {
  // 1, -2, 0.5, 65504
  EXPECT_EQ(WithWeights(Packed(3, {0, 0x3C, 0, -64, 0, 0x38, -1, 0x7B}, {})),
            (Floats{1 - 20, 0.5F + 655040}));
}

TEST(MnnImport, WeightsMayBeListedByPlace) {
  schema::QuantizedWeightsT packed = Packed(0, {}, {4, 6});
  packed.index = {0, 3};
  packed.weight_size = 4;
  EXPECT_EQ(WithWeights(packed), (Floats{4, 60}));
}

// From NHWC to NC4HW4 the channels move; from there to NCHW nothing does.
TEST(MnnImport, FormatsMoveTheChannels) {
  NetMaker m;
  const std::int32_t x = m.Input("x", {1, 1, 2, 3}, schema::Format_NHWC);
  schema::TensorConvertInfoT convert;
  convert.source = schema::Format_NHWC;
  convert.dest = schema::Format_NC4HW4;
  const std::int32_t c =
      m.Add(schema::OpType_ConvertTensor, {x}, "c", schema::Parameter_TensorConvertInfo, convert);
  convert.source = schema::Format_NC4HW4;
  convert.dest = schema::Format_NCHW;
  m.Add(schema::OpType_ConvertTensor, {c}, "y", schema::Parameter_TensorConvertInfo, convert);
  const auto graph = Read(m);
  EXPECT_EQ(Answer(graph, {1, 1, 2, 3}, {1, 2, 3, 4, 5, 6}), (Floats{1, 4, 2, 5, 3, 6}));
}

// x doubled three times. The sub-graph gets its number and its condition as integers.
TEST(MnnImport, LoopsRunAsOftenAsTheySay) {
  NetMaker m;
  const std::int32_t x = m.Input("x", {2});
  const std::int32_t count = m.Ints("count", {}, {3}), condition = m.Ints("condition", {}, {1});
  schema::WhileParamT loop;
  loop.body = "body";
  m.Add(schema::OpType_While, {count, condition, x}, "y", schema::Parameter_WhileParam, loop);
  NetMaker inside;
  const std::int32_t number = inside.Tensor("number"), goes_on = inside.Tensor("goes_on"),
                     state = inside.Tensor("state");
  const std::int32_t doubled = inside.Binary(schema::Binary_ADD, state, state, "doubled");
  auto body = std::make_unique<schema::SubGraphT>();
  body->name = "body";
  body->inputs = {number, goes_on, state};
  body->outputs = {goes_on, doubled};
  body->tensors = inside.net.tensor_names;
  body->nodes = std::move(inside.net.ops);
  m.net.subgraphs.push_back(std::move(body));
  EXPECT_EQ(Answer(Read(m), {2}, {1, -3}), (Floats{8, -24}));
}

struct Mistake {
  const char* expected;
  void (*make)(NetMaker& m);
};

TEST(MnnImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {"operator \"c\" (LSTMBlockCell): operator \"LSTMBlockCell\" is not read (1 use)",
       [](NetMaker& m) { m.net.ops[1]->type = schema::OpType_LSTMBlockCell; }},
      {"operator \"number 9999\" is not read",
       [](NetMaker& m) { m.net.ops[1]->type = static_cast<schema::OpType>(9999); }},
      {"operator \"c\" (Convolution): its parameters are missing",
       [](NetMaker& m) { m.net.ops[1]->main.Reset(); }},
      {"3 weights do not fill [2, 2, 1, 1]",
       [](NetMaker& m) { m.net.ops[1]->main.AsConvolution2D()->weight.pop_back(); }},
      {"is used before an operator makes it",
       [](NetMaker& m) { m.net.ops[1]->inputs = {m.net.ops[4]->outputs[0]}; }},
      {"3 inputs are given; 2 to 2 are expected",
       [](NetMaker& m) { m.net.ops[4]->inputs.push_back(0); }},
      {"nothing makes the output \"z\"", [](NetMaker& m) { m.net.output_names = {"z"}; }},
      {"convert the network again without --saveExternalData",
       [](NetMaker& m) {
         m.net.ops[1]->main.AsConvolution2D()->external = {0, 16, 8};
       }},
  };
  for (const Mistake& mistake : mistakes) {
    NetMaker m = SmallNet();
    mistake.make(m);
    const auto bytes = m.Bytes();
    const auto graph = Import(*bytes, bytes);
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(Mnn, EveryRowStandsOnceInOrder) {
  for (std::size_t i = 1; i < Table().size(); ++i) EXPECT_LT(Table()[i - 1].type, Table()[i].type);
}

TEST(Mnn, TheDocumentListsEveryRow) {
  std::stringstream file;
  file << std::ifstream("docs/formats/mnn.md").rdbuf();
  const std::string text = file.str();
  const std::size_t begin = text.find("## Operators read");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = text.substr(begin);
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * (static_cast<int>(Table().size()) + 1));
  for (const Row& row : Table())
    EXPECT_NE(list.find("`" + NameOf(row.type) + "`"), std::string::npos) << NameOf(row.type);
}

}  // namespace
}  // namespace athanor::mnn
