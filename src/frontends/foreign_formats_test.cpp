// Nodes that a plug-in reads, in formats whose files name operators and layers of their own.
#include <gmock/gmock.h>

#include "core/file.h"
#include "frontends/foreign_for_test.h"
#include "frontends/foreign_values.h"
#include "frontends/keras/import.h"
#include "frontends/mxnet/files_for_test.h"
#include "frontends/mxnet/import.h"
#include "frontends/ncnn/export.h"
#include "frontends/ncnn/import.h"
#include "frontends/openvino/export.h"
#include "frontends/openvino/import.h"
#include "frontends/paddle/files_for_test.h"
#include "frontends/paddle/import.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tensorflow/model_for_test.h"
#include "frontends/tflite/export.h"
#include "frontends/tflite/import.h"
#include "ir/text.h"

namespace athanor {
namespace {

using testing::HasSubstr;

std::span<const std::uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

AttrMap Read(std::string_view text) { return {{"", TextAsAttribute(text)}}; }
template <class T>
AttrMap One(T value) {
  return {{"", AttrValue(std::move(value))}};
}

TEST(ForeignValues, TextsAreNumbersTruthOrLists) {
  using Integers = std::vector<std::int64_t>;
  EXPECT_EQ(Read(" 3 "), One(std::int64_t{3}));
  EXPECT_EQ(Read("-2.5e-1"), One(-0.25F));
  EXPECT_EQ(Read("True"), One(std::int64_t{1}));
  EXPECT_EQ(Read("false"), One(std::int64_t{0}));
  EXPECT_EQ(Read("(1, 2)"), One(Integers{1, 2}));
  EXPECT_EQ(Read("(7,)"), One(Integers{7}));
  EXPECT_EQ(Read("[]"), One(Integers{}));
  EXPECT_EQ(Read("1,0.5"), One(Floats{1, 0.5F}));
  for (const char* text : {"", "1 2", "a,b", "(1, x)", "(", "nan", "inf", "1e999"})
    EXPECT_EQ(Read(text), One(std::string(text))) << text;
}

TEST(Foreign, EachFormatRefusesConvertersOfWhatItReads) {
  for (const auto& [format, op] :
       {std::pair("keras", "Dense"), std::pair("keras", "Functional"),
        std::pair("mxnet", "FullyConnected"), std::pair("ncnn", "Convolution"),
        std::pair("ncnn", "Input"), std::pair("openvino", "MatMul"), std::pair("paddle", "relu"),
        std::pair("tensorflow", "Conv2D")}) {
    const Status status = CheckConverter({format, op, {}}, false);
    EXPECT_THAT(status.ToString(), HasSubstr("is read already")) << format << " " << op;
  }
  EXPECT_THAT(CheckConverter({"paddel", "Roll", {}}, false).ToString(),
              HasSubstr("did you mean \"paddle\""));
}

// ---- ncnn: parameters have numbers, values a batch in front.

Result<Graph> ReadNcnn(const std::string& layer) {
  return ncnn::Import("7767517\n2 2\nInput x 0 1 x 0=2\n" + layer + "\n", {}, nullptr);
}

TEST(Foreign, NcnnGivesParametersByNumber) {
  const auto seen = AddWitness("ncnn", "Witness");
  EXPECT_EQ(Answer(ReadNcnn("Witness w 1 1 x y 0=3 1=0.5 4=2.0 -23305=2,7,8"), {1, 2}, {1, -2}),
            (Floats{-1, 2}));
  const AttrMap expected = {{"arg0", std::int64_t{3}},
                            {"arg1", 0.5F},
                            {"arg4", std::int64_t{2}},
                            {"arg5", std::vector<std::int64_t>{7, 8}}};
  EXPECT_EQ(seen->attributes, expected);
}

TEST(Foreign, AnNcnnParameterIsTheAttributeOfItsNumber) {
  AddScaledSum("ncnn::ScaledSum");
  EXPECT_EQ(Answer(ReadNcnn("ScaledSum s 1 1 x y 0=3"), {1, 2}, {1, -2}), (Floats{3, -6}));
  EXPECT_THAT(Problem(ReadNcnn("ScaledSum s 1 1 x y 1=3")), HasSubstr("arg1"));
  EXPECT_THAT(Problem(ReadNcnn("ScaledSun s 1 1 x y")), HasSubstr("converter of ncnn ScaledSun"));
}

// ---- OpenVINO: extensions, whose attributes are texts.

Result<Graph> ReadOpenvino(const std::string& type, const std::string& data,
                           const std::string& version = "extension") {
  return openvino::Import(
      "<net name=\"n\" version=\"11\"><layers><layer id=\"0\" name=\"x\" type=\"Parameter\" "
      "version=\"opset1\"><data shape=\"2\" element_type=\"f32\"/><output><port id=\"0\"/></output>"
      "</layer><layer id=\"1\" name=\"l\" type=\"" +
          type + "\" version=\"" + version + "\"><data " + data +
          "/><input><port id=\"0\"/></input><output><port id=\"1\"/></output></layer>"
          "<layer id=\"2\" name=\"r\" type=\"Result\" version=\"opset1\"><input><port id=\"0\"/>"
          "</input></layer></layers><edges>"
          "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"
          "<edge from-layer=\"1\" from-port=\"1\" to-layer=\"2\" to-port=\"0\"/></edges></net>",
      {}, nullptr);
}

TEST(Foreign, OpenvinoGivesTheAttributesOfAnExtension) {
  const auto seen = AddWitness("openvino", "Witness");
  EXPECT_EQ(Answer(ReadOpenvino("Witness", "whole=\"3\" list=\"1,2\" on=\"true\" text=\"a b\""),
                   {2}, {1, -2}),
            (Floats{-1, 2}));
  const AttrMap expected = {{"list", std::vector<std::int64_t>{1, 2}},
                            {"on", std::int64_t{1}},
                            {"text", std::string("a b")},
                            {"whole", std::int64_t{3}}};
  EXPECT_EQ(seen->attributes, expected);
  AddScaledSum("openvino::ScaledSum");
  EXPECT_EQ(Answer(ReadOpenvino("ScaledSum", "factor=\"2\""), {2}, {1, -2}), (Floats{2, -4}));
  EXPECT_THAT(Problem(ReadOpenvino("ScaledSun", "")), HasSubstr("of openvino ScaledSun"));
  // One of OpenVINO's names outside its operator sets is not what the name says.
  EXPECT_THAT(Problem(ReadOpenvino("ReLU", "")), HasSubstr("it is of no operator set"));
}

// ---- MXNet: operators written in Python are nodes "Custom"; everything is text.

Result<Graph> ReadMxnet(const std::string& op, const std::string& attributes,
                        const std::string& head = "[1, 0, 0]") {
  const auto symbol = std::make_shared<const std::string>(
      R"json({"nodes": [{"op": "null", "name": "x", "attrs": {"__shape__": "(2,)"}, "inputs": []},
{"op": ")json" +
      op + R"json(", "name": "n", "attrs": {)json" + attributes +
      R"json(}, "inputs": [[0, 0, 0]]}], "arg_nodes": [0], "heads": [)json" + head + "]}");
  const auto parameters = std::make_shared<const std::string>(mxnet::ParameterFile({}));
  const auto both = std::make_shared<
      std::pair<std::shared_ptr<const std::string>, std::shared_ptr<const std::string>>>(
      symbol, parameters);
  return mxnet::Import(BytesOf(*symbol), BytesOf(*parameters), both);
}

TEST(Foreign, MxnetGivesTheTextsOfACustomNodeAsTheyLook) {
  const auto seen = AddWitness("mxnet", "witness");
  EXPECT_EQ(Answer(ReadMxnet("Custom", R"json("op_type": "witness", "whole": "3", "list": "(1, 2)",
                             "on": "True", "none": "None", "text": "a", "__lr_mult__": "2")json"),
                   {2}, {1, -2}),
            (Floats{-1, 2}));
  EXPECT_EQ(seen->op, "witness");
  const AttrMap expected = {{"list", std::vector<std::int64_t>{1, 2}},
                            {"on", std::int64_t{1}},
                            {"text", std::string("a")},
                            {"whole", std::int64_t{3}}};
  EXPECT_EQ(seen->attributes, expected);
}

TEST(Foreign, AnMxnetNodeIsTheOperatorOfItsName) {
  AddScaledSum("mxnet::ScaledSum");
  EXPECT_EQ(Answer(ReadMxnet("ScaledSum", R"("factor": "3")"), {2}, {1, -2}), (Floats{3, -6}));
  EXPECT_EQ(Answer(ReadMxnet("Custom", R"("op_type": "ScaledSum")"), {2}, {1, -2}),
            (Floats{1, -2}));
  EXPECT_THAT(Problem(ReadMxnet("Custom", R"("op_type": "sun")")),
              HasSubstr("a converter of mxnet sun"));
  // A converter is asked for as many outputs as the network reads.
  AddWitness("mxnet", "one");
  EXPECT_THAT(Problem(ReadMxnet("one", "", "[1, 2, 0]")), HasSubstr("gives no output 1"));
}

// ---- PaddlePaddle, in both forms

Result<Graph> ReadPaddle(const std::string& program) {
  const auto both =
      std::make_shared<std::pair<std::string, std::string>>(program, paddle::SmallParameters());
  return paddle::Import(BytesOf(both->first), BytesOf(both->second), both);
}

std::string PaddleDesc(const std::string& type, std::int32_t number) {
  paddle::DescMaker maker = paddle::SmallDesc();
  paddle::OpDesc& op = maker.op(3);  // relu
  op.type = type;
  paddle::DescMaker::Int(op, "op_role", 0);
  paddle::DescMaker::Int(op, "factor", number);
  return maker.Bytes();
}

std::string PaddlePir(const std::string& type) {
  std::string text = paddle::SmallPir();
  const std::string relu = R"("1.relu","A":[])";
  const std::size_t at = text.find(relu);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, relu.size(),
                      "\"3." + type + R"(","A":[{"AT":{"#":"0.a_i32","D":3},"N":"factor"}])");
}

// Without relu, x w + b of x = (1, 2) is (0, 1, 5, 10).
TEST(Foreign, PaddleGivesAttributesInBothForms) {
  const auto seen = AddWitness("paddle", "witness");
  const AttrMap expected = {{"factor", std::int64_t{3}}};
  for (const std::string& program : {PaddleDesc("witness", 3), PaddlePir("witness")}) {
    EXPECT_EQ(Answer(ReadPaddle(program), {1, 2}, {1, 2}), (Floats{-0.0F, -1, -5, -10}));
    EXPECT_EQ(seen->attributes, expected);
    seen->attributes = {};
  }
}

TEST(Foreign, APaddleOperatorIsTheOperatorOfItsName) {
  AddScaledSum("paddle::scaled_sum");
  for (const std::string& program : {PaddleDesc("scaled_sum", 3), PaddlePir("scaled_sum")})
    EXPECT_EQ(Answer(ReadPaddle(program), {1, 2}, {1, 2}), (Floats{0, 3, 15, 30}));
  for (const std::string& program : {PaddleDesc("sun", 3), PaddlePir("sun")})
    EXPECT_THAT(Problem(ReadPaddle(program)), HasSubstr("a converter of paddle sun"));
}

// ---- TensorFlow

Result<Graph> ReadTensorflow(tensorflow::GraphDef graph) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(protobuf::Serialize(graph));
  return tensorflow::Import(*bytes, bytes, "/nonexistent");
}

// x through a node, whose attributes `set` writes.
template <class Set>
tensorflow::GraphDef OneNode(const std::string& op, Set set) {
  tensorflow::GraphDef graph;
  tensorflow::NodeMaker make(graph.node);
  make.Placeholder("x", {2});
  tensorflow::NodeDef& node = make.Add("n", op, {"x"});
  tensorflow::NodeMaker::Set(node, "T").type = tensorflow::kFloat;
  tensorflow::NodeMaker::Set(node, "_class").s = "note";
  set(node);
  return graph;
}

TEST(Foreign, TensorflowGivesAttributesInTheirKinds) {
  using tensorflow::NodeMaker;
  const auto seen = AddWitness("tensorflow", "Addons::Witness");
  const auto graph = OneNode("Addons>Witness", [](tensorflow::NodeDef& node) {
    NodeMaker::Set(node, "zero").i = 0;  // is said, so it is no default
    NodeMaker::Set(node, "part").f = 0.5F;
    NodeMaker::Set(node, "off").b = false;
    NodeMaker::Set(node, "text").s = "a";
    auto list = std::make_shared<tensorflow::ListValue>();
    list->i = {1, 2};
    NodeMaker::Set(node, "list").list = list;
    auto tensor = std::make_shared<tensorflow::TensorProto>();
    tensor->dtype = tensorflow::kFloat;
    tensor->shape = tensorflow::ShapeOfSizes({1});
    tensor->float_val = {4};
    NodeMaker::Set(node, "tensor").tensor = tensor;
  });
  EXPECT_EQ(Answer(ReadTensorflow(graph), {2}, {1, -2}), (Floats{-1, 2}));
  const AttrMap expected = {{"T", DType::kF32},
                            {"list", std::vector<std::int64_t>{1, 2}},
                            {"off", std::int64_t{0}},
                            {"part", 0.5F},
                            {"tensor", Tensor::FromVector<float>({1}, {4})},
                            {"text", std::string("a")},
                            {"zero", std::int64_t{0}}};
  EXPECT_EQ(seen->attributes, expected);
}

TEST(Foreign, ATensorflowNodeIsTheOperatorOfItsName) {
  AddScaledSum("tensorflow::ScaledSum");
  const auto graph = OneNode("ScaledSum", [](tensorflow::NodeDef& node) {
    tensorflow::NodeMaker::Set(node, "factor").f = 2;
  });
  EXPECT_EQ(Answer(ReadTensorflow(graph), {2}, {1, -2}), (Floats{2, -4}));
  EXPECT_THAT(Problem(ReadTensorflow(OneNode("Sun", [](auto&) {}))),
              HasSubstr("a converter of tensorflow Sun"));
}

TEST(Foreign, ATensorflowFunctionCallsTheOperator) {
  AddScaledSum("tensorflow::InFunction");
  tensorflow::GraphDef graph = tensorflow::SmallGraph();
  graph.library.function[0].node[0].op = "InFunction";  // instead of Tanh
  graph.library.function[0].ret[0].value = "tanh:y:0";
  const Result<Graph> read = ReadTensorflow(graph);
  // (9 + 6 + 6 + 4) positions of 2 channels, a quarter of 0.5 each, over 4 windows, and the bias.
  const float mean = 25 * 2 * 0.125F / 4;
  EXPECT_EQ(Answer(read, {1, 4, 4, 2}, Floats(32, 0.5F)),
            (Floats{mean + 0.5F, mean - 1, mean + 2}));
}

TEST(Foreign, ATensorflowConverterGivesAsManyOutputsAsAreRead) {
  AddConverters(
      {{"tensorflow", "Twice", std::make_shared<const Converter>([](ForeignNode& node) -> Status {
          EXPECT_EQ(node.num_outputs, 2U);
          ATH_TRY(const ValueId negative, node.graph.Add("Neg", {node.inputs[0]}));
          node.outputs = {node.inputs[0], negative};
          return {};
        })}});
  tensorflow::GraphDef graph = OneNode("Twice", [](auto&) {});
  tensorflow::NodeMaker(graph.node).Add("y", "Sub", {"n", "n:1"});
  EXPECT_EQ(Answer(ReadTensorflow(graph), {2}, {1, -2}), (Floats{2, -4}));
}

// ---- what is written again

Graph TwoOfFormat(const std::string& format) {
  AddScaledSum(format + "::Again");
  Result<Graph> graph = ParseText(
      fmt::format("graph g(x: f32[1, 2]) -> (y) {{\n  %t = {}::Again(%x, %x) {{factor = 0.5}}\n"
                  "  %u = Neg(%t)\n  %y = {}::Again(%u)\n}}",
                  format, format),
      ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return *std::move(graph);
}

TEST(Foreign, AnOperatorOfAFormatIsWrittenToIt) {
  const Floats minus = {-1, 2};
  const auto tflite = tflite::ExportTflite(TwoOfFormat("tflite"));
  ASSERT_TRUE(tflite.ok()) << tflite.status().ToString();
  const auto bytes = std::make_shared<const std::vector<std::uint8_t>>(*tflite);
  EXPECT_EQ(Answer(tflite::Import(*bytes, bytes), {1, 2}, {1, -2}), minus);

  const auto ncnn = ncnn::ExportNcnn(TwoOfFormat("ncnn"));
  ASSERT_TRUE(ncnn.ok()) << ncnn.status().ToString();
  EXPECT_THAT(ncnn->param, HasSubstr("Again"));
  EXPECT_EQ(Answer(ncnn::Import(ncnn->param, ncnn->bin, nullptr), {1, 2}, {1, -2}), minus);

  const auto openvino = openvino::ExportOpenvino(TwoOfFormat("openvino"));
  ASSERT_TRUE(openvino.ok()) << openvino.status().ToString();
  EXPECT_THAT(openvino->xml, HasSubstr("type=\"Again\" version=\"extension\""));
  EXPECT_EQ(Answer(openvino::Import(openvino->xml, openvino->bin, nullptr), {1, 2}, {1, -2}),
            minus);

  EXPECT_THAT(ncnn::ExportNcnn(TwoOfFormat("caffe")).status().ToString(),
              HasSubstr("node 1 of 3 (caffe::Again): ncnn has no layer for it"));
}

// ---- Keras: weights follow inputs.

// The small network with its layer "y" of another class, whose name is as long.
Result<Graph> ReadKeras(const std::string& class_name) {
  const Result<std::string> text = ReadTextFile("tests/broken/keras_small.h5");
  EXPECT_TRUE(text.ok());
  const auto file = std::make_shared<std::string>(*text);
  const std::string dense = "\"class_name\": \"Dense\"";
  const std::size_t at = file->find(dense);
  EXPECT_NE(at, std::string::npos);
  file->replace(at, dense.size(), "\"class_name\": \"" + class_name + "\"");
  return keras::Import(BytesOf(*file), file);
}

TEST(Foreign, KerasGivesTheConfigurationAndTheWeights) {
  auto seen = std::make_shared<Seen>();
  AddConverters(
      {{"keras", "Dence", std::make_shared<const Converter>([seen](ForeignNode& node) -> Status {
          *seen = {node.op, node.inputs.size(), node.attributes};
          ATH_TRY(const ValueId product,
                  node.graph.Add("MatMul", {node.inputs[0], node.inputs[1]}));
          ATH_TRY(const ValueId sum, node.graph.Add("Add", {product, node.inputs[2]}));
          ATH_TRY(const ValueId y, node.graph.Add("Softmax", {sum}));
          node.outputs = {y};
          return {};
        })}});
  Floats ramp;
  for (int i = 0; i < 12; ++i) ramp.push_back(static_cast<float>(i - 6) / 3);
  const Floats expected = Answer(ReadKeras("Dense"), {1, 4, 3}, ramp);
  EXPECT_THAT(Answer(ReadKeras("Dence"), {1, 4, 3}, ramp),
              testing::Pointwise(testing::FloatEq(), expected));
  EXPECT_EQ(seen->num_inputs, 3U);
  const AttrMap attributes = {{"activation", std::string("softmax")},
                              {"units", std::int64_t{2}},
                              {"use_bias", std::int64_t{1}}};
  EXPECT_EQ(seen->attributes, attributes);
  EXPECT_THAT(Problem(ReadKeras("m>Sun")), HasSubstr("a converter of keras Sun"));
}

}  // namespace
}  // namespace athanor
