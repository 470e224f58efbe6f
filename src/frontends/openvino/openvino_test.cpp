#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/openvino/export.h"
#include "frontends/openvino/import.h"
#include "frontends/openvino/layer_export.h"
#include "frontends/openvino/layer_import.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::openvino {
namespace {

using Floats = std::vector<float>;

// A network of layers and edges, each given as XML.
std::string Net(std::string_view layers, std::string_view edges) {
  return fmt::format("<net name=\"n\" version=\"11\"><layers>{}</layers><edges>{}</edges></net>",
                     layers, edges);
}

constexpr const char* kParameter =
    "<layer id=\"0\" name=\"x\" type=\"Parameter\" version=\"opset1\"><data shape=\"?,3\" "
    "element_type=\"f32\"/><output><port id=\"0\" names=\"in\\,put,x\"/></output></layer>";
constexpr const char* kResult =
    "<layer id=\"9\" name=\"r\" type=\"Result\" version=\"opset1\" output_names=\"y\"><input>"
    "<port id=\"0\"/></input></layer>";

// x through one layer, which has an input and an output.
std::string One(std::string_view type, std::string_view data, std::string_view opset = "opset1") {
  return Net(fmt::format("{}<layer id=\"1\" name=\"l\" type=\"{}\" version=\"{}\"><data {}/><input>"
                         "<port id=\"0\"/></input><output><port id=\"1\"/></output></layer>{}",
                         kParameter, type, opset, data, kResult),
             "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"
             "<edge from-layer=\"1\" from-port=\"1\" to-layer=\"9\" to-port=\"0\"/>");
}

TEST(OpenvinoImport, TensorsKeepTheirNamesAndOpenSizes) {
  const auto graph = Import(One("Clamp", "min=\"-1\" max=\"2.5\""), {}, nullptr);
  EXPECT_EQ(Answer(graph, {1, 3}, {-4, 1, 9}), (Floats{-1, 1, 2.5F}));
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "in,put");
  EXPECT_EQ(graph->outputs()[0].name, "y");
  EXPECT_FALSE(graph->value(graph->inputs()[0]).type.dim(0).IsConst());
}

TEST(OpenvinoImport, LayersMayStandInAnyOrder) {
  const std::string layers = fmt::format(
      "{}<layer id=\"1\" name=\"l\" type=\"ReLU\" version=\"opset1\"><input><port "
      "id=\"0\"/></input>"
      "<output><port id=\"1\"/></output></layer>{}",
      kResult, kParameter);
  const auto graph =
      Import(Net(layers,
                 "<edge from-layer=\"1\" from-port=\"1\" to-layer=\"9\" to-port=\"0\"/>"
                 "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"),
             {}, nullptr);
  EXPECT_EQ(Answer(graph, {1, 3}, {-4, 1, 9}), (Floats{0, 1, 9}));
}

TEST(OpenvinoImport, WeightsMayLieUnaligned) {
  const std::string layers = fmt::format(
      "{}<layer id=\"2\" name=\"c\" type=\"Const\" version=\"opset1\"><data element_type=\"f32\" "
      "shape=\"3\" offset=\"1\" size=\"12\"/><output><port id=\"0\"/></output></layer>"
      "<layer id=\"1\" name=\"l\" type=\"Add\" version=\"opset1\"><input><port id=\"0\"/>"
      "<port id=\"1\"/></input><output><port id=\"2\"/></output></layer>{}",
      kParameter, kResult);
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(13);
  const float numbers[] = {1, 2, 3};
  std::memcpy(bytes->data() + 1, numbers, sizeof(numbers));
  const auto graph =
      Import(Net(layers,
                 "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"1\" to-port=\"0\"/>"
                 "<edge from-layer=\"2\" from-port=\"0\" to-layer=\"1\" to-port=\"1\"/>"
                 "<edge from-layer=\"1\" from-port=\"2\" to-layer=\"9\" to-port=\"0\"/>"),
             *bytes, bytes);
  EXPECT_EQ(Answer(graph, {1, 3}, {10, 20, 30}), (Floats{11, 22, 33}));
}

// x [1, 1, 2] by a kernel of 1 2 4, stride 2: 1 2 6 4 8 of x = 1 2, of which 4 are asked for.
std::string Deconvolution(std::string_view auto_pad, bool with_shape) {
  return Net(
      fmt::format(
          R"(<layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,1,2"
             element_type="f32"/><output><port id="0"/></output></layer>
             <layer id="2" name="w" type="Const" version="opset1"><data element_type="f32"
             shape="1,1,3" offset="0" size="12"/><output><port id="0"/></output></layer>
             <layer id="3" name="s" type="Const" version="opset1"><data element_type="i32"
             shape="1" offset="12" size="4"/><output><port id="0"/></output></layer>
             <layer id="1" name="l" type="ConvolutionBackpropData" version="opset1">
             <data strides="2" dilations="1" pads_begin="0" pads_end="0" auto_pad="{}"/><input>
             <port id="0"/><port id="1"/>{}</input><output><port id="3"/></output></layer>{})",
          auto_pad, with_shape ? R"(<port id="2"/>)" : "", kResult),
      fmt::format(
          R"(<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
                     <edge from-layer="2" from-port="0" to-layer="1" to-port="1"/>{}
                     <edge from-layer="1" from-port="3" to-layer="9" to-port="0"/>)",
          with_shape ? R"(<edge from-layer="3" from-port="0" to-layer="1" to-port="2"/>)" : ""));
}

// same_upper pads its odd element at the beginning here, and not at all without an output shape.
TEST(OpenvinoImport, DeconvolutionsPadAsTheSpecificationSays) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(16);
  const float kernel[] = {1, 2, 4};
  const std::int32_t size = 4;
  std::memcpy(bytes->data(), kernel, sizeof(kernel));
  std::memcpy(bytes->data() + 12, &size, sizeof(size));
  const auto check = [&](std::string_view auto_pad, bool with_shape, const Floats& expected) {
    const auto graph = Import(Deconvolution(auto_pad, with_shape), *bytes, bytes);
    EXPECT_EQ(Answer(graph, {1, 1, 2}, {1, 2}), expected) << auto_pad;
    if (!graph.ok()) return;
    const auto files = ExportOpenvino(*graph);
    ASSERT_TRUE(files.ok()) << files.status().ToString();
    const auto written = std::make_shared<std::vector<std::uint8_t>>(files->bin);
    const auto again = Import(files->xml, *written, written);
    EXPECT_EQ(Answer(again, {1, 1, 2}, {1, 2}), expected) << auto_pad;
    if (!with_shape) return;
    EXPECT_NE(files->xml.find(fmt::format("auto_pad=\"{}\"", auto_pad)), std::string::npos);
  };
  check("same_upper", true, {2, 6, 4, 8});
  check("same_lower", true, {1, 2, 6, 4});
  check("same_upper", false, {1, 2, 6, 4, 8});
  check("valid", false, {1, 2, 6, 4, 8});
}

// Modes of ONNX whose output is the input times the stride need that size said.
TEST(OpenvinoExport, DeconvolutionsSayTheirSize) {
  for (const auto& [mode, written] :
       {std::pair("SAME_UPPER", "same_lower"), std::pair("SAME_LOWER", "same_upper")}) {
    const auto graph = ParseText(fmt::format(R"(graph g(x: f32[1, 1, 2], w: f32[1, 1, 3]) -> (y) {{
                         %y = ConvTranspose(%x, %w) {{auto_pad = "{}", strides = [2]}}
                       }})",
                                             mode),
                                 ops::Standard());
    ASSERT_TRUE(graph.ok()) << graph.status().ToString();
    const auto files = ExportOpenvino(*graph);
    ASSERT_TRUE(files.ok()) << files.status().ToString();
    EXPECT_NE(files->xml.find(fmt::format("auto_pad=\"{}\"", written)), std::string::npos);
    EXPECT_EQ(files->bin.size(), sizeof(std::int64_t));
  }
}

// As OpenVINO writes them.
TEST(OpenvinoImport, EmptyConstantsHaveOneByte) {
  const std::string layers = fmt::format(
      R"({}<layer id="2" name="c" type="Const" version="opset1"><data element_type="i64" shape="0"
         offset="0" size="1"/><output><port id="0"/></output></layer>
         <layer id="1" name="l" type="Transpose" version="opset1"><input><port id="0"/>
         <port id="1"/></input><output><port id="2"/></output></layer>{})",
      kParameter, kResult);
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(1);
  const auto graph =
      Import(Net(layers, R"(<edge from-layer="0" from-port="0" to-layer="1" to-port="0"/>
                            <edge from-layer="2" from-port="0" to-layer="1" to-port="1"/>
                            <edge from-layer="1" from-port="2" to-layer="9" to-port="0"/>)"),
             *bytes, bytes);
  EXPECT_EQ(Answer(graph, {2, 3}, {1, 2, 3, 4, 5, 6}), (Floats{1, 4, 2, 5, 3, 6}));
}

struct Mistake {
  std::string xml;
  const char* expected;
};

TEST(OpenvinoImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {One("Relu", ""), "did you mean \"ReLU\""},
      {One("ReLU", "", "extension"), "of no operator set"},
      {One("SoftMax", "axis=\"one\""), "attribute axis is \"one\"; a whole number is expected"},
      {One("Add", ""), "1 inputs are given; 2 to 2 are expected"},
      {Net(kParameter, ""), "no Result"},
      {Net(std::string(kParameter) + kResult, ""), "no edge enters port 0"},
      {"<net version=\"7\"/>", "IR version 7 is not read; 10 and 11 are"},
      {"<!DOCTYPE net><net version=\"11\"/>", "<!DOCTYPE>"},
      {"<net version=\"11\">", "the XML is broken"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto graph = Import(mistake.xml, {}, nullptr);
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

// A quantiser whose zero is a whole number stays a pair that integers can run.
TEST(OpenvinoImport, FakeQuantizeWithAWholeZeroIsAPair) {
  Graph graph(ops::Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kF32, {1, 3}));
  const ValueId scale = graph.AddConstant(Tensor::Scalar(0.5F));
  const ValueId zero = graph.AddConstant(Tensor::Scalar<std::uint8_t>(100));
  const auto q = graph.Add("QuantizeLinear", {x, scale, zero});
  ASSERT_TRUE(q.ok());
  const auto y = graph.Add("DequantizeLinear", {*q, scale, zero});
  ASSERT_TRUE(y.ok());
  graph.AddOutput("y", *y);
  const auto files = ExportOpenvino(graph);
  ASSERT_TRUE(files.ok()) << files.status().ToString();
  EXPECT_NE(files->xml.find("FakeQuantize"), std::string::npos);
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(files->bin);
  const auto again = Import(files->xml, *bytes, bytes);
  EXPECT_EQ(Answer(again, {1, 3}, {-70, 0.3F, 200}), (Floats{-50, 0.5F, 77.5F}));
  ASSERT_TRUE(again.ok());
  EXPECT_NE(PrintText(*again).find("QuantizeLinear"), std::string::npos);
}

TEST(OpenvinoExport, NamesEveryNodeThatIsNotWritten) {
  const auto graph = ParseText(
      R"(graph g(x: f32[2, 2]) -> (y) {
        %a = Det(%x) @first
        %y = Celu(%a) @second
      })",
      ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const std::string problem = ExportOpenvino(*graph).status().ToString();
  EXPECT_NE(problem.find("\"first\" (Det)"), std::string::npos) << problem;
  EXPECT_NE(problem.find("\"second\" (Celu)"), std::string::npos) << problem;
}

TEST(Openvino, EveryRowStandsOnceInOrder) {
  for (std::size_t i = 1; i < Table().size(); ++i) EXPECT_LT(Table()[i - 1].type, Table()[i].type);
  for (std::size_t i = 1; i < ExportTable().size(); ++i)
    EXPECT_LT(ExportTable()[i - 1].op, ExportTable()[i].op);
  for (const ExportRow& row : ExportTable())
    EXPECT_NE(ops::Standard().Find(row.op), nullptr) << row.op;
}

TEST(Openvino, TheDocumentListsEveryRow) {
  std::stringstream file;
  file << std::ifstream("docs/formats/openvino.md").rdbuf();
  const std::string text = file.str();
  const std::size_t read = text.find("## Layers read"), written = text.find("## Operators written");
  ASSERT_LT(read, written);
  ASSERT_NE(written, std::string::npos);
  const auto check = [](const std::string& list, const auto& rows, auto name) {
    EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * static_cast<int>(rows.size()));
    for (const auto& row : rows)
      EXPECT_NE(list.find("`" + std::string(row.*name) + "`"), std::string::npos) << row.*name;
  };
  check(text.substr(read, written - read), Table(), &Row::type);
  check(text.substr(written), ExportTable(), &ExportRow::op);
}

}  // namespace
}  // namespace athanor::openvino
