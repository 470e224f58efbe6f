#include "frontends/onnx/export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "frontends/load.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/schema.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

Graph Read(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return graph.ok() ? *std::move(graph) : Graph(ops::Standard());
}

std::string Again(const Graph& graph, std::int64_t opset) {
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(graph, {.opset = opset});
  if (!bytes.ok()) return bytes.status().ToString();
  auto owner = std::make_shared<std::vector<std::uint8_t>>(*bytes);
  const Result<Graph> back = Import(*owner, owner, {});
  return back.ok() ? PrintText(*back) : back.status().ToString();
}

ModelProto Written(const std::vector<std::uint8_t>& bytes) {
  Result<ModelProto> model = protobuf::Parse<ModelProto>(bytes, "model");
  EXPECT_TRUE(model.ok());
  return *std::move(model);
}

TEST(OnnxExport, AGraphComesBackTheSame) {
  const std::string text =
      R"(graph main(x: f32[N, 4, "a-b"], z: f32[?]) -> (y: f32[N, 4, "a-b"], x: f32[N, 4, "a-b"]) {
  %a: f32[N, 4, "a-b"] = Relu(%x) @first
  const %w: f32[2, 1, 1] = [1, 2]
  %b: f32[N, 4, "a-b"] = Relu(%a)
  %y: f32[N, 4, "a-b"] = Relu(%b) @last
}
)";
  const Graph graph = Read(text);
  for (const std::int64_t opset : {7, 13, 21, 28}) {
    std::string expected = text;
    const std::string unused = "  const %w: f32[2, 1, 1] = [1, 2]\n";
    expected.erase(expected.find(unused), unused.size());
    EXPECT_EQ(Again(graph, opset), expected) << opset;
  }
}

TEST(OnnxExport, NamesOfInputsAndOutputsAreKeptAndValueNamesMadeUnique) {
  const Graph graph =
      Read(R"(graph g(x: f32[2]) -> (one = %t#2: f32[2], two = %t#2: f32[2], three = %x: f32[2]) {
    %t = Relu(%x)
    %t#2 = Relu(%t)
  })");
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(graph);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  const ModelProto model = Written(*bytes);
  ASSERT_EQ(model.graph->output.size(), 3U);
  EXPECT_EQ(model.graph->output[0].name, "one");
  EXPECT_EQ(model.graph->output[1].name, "two");
  EXPECT_EQ(model.graph->output[2].name, "three");
  std::set<std::string> names = {"x"};
  for (const NodeProto& node : model.graph->node) {
    for (const std::string& name : node.output) EXPECT_TRUE(names.insert(name).second) << name;
  }
}

// ONNX Runtime refused networks from TensorFlow Lite, where a fused activation has its operator's
// name.
TEST(OnnxExport, NodesOfOneNameGetDifferentOnes) {
  const Graph graph = Read(R"(graph g(x: f32[2]) -> (y) {
    %a = Relu(%x) @same
    %b = HardSwish(%a) @same
    %c = Relu(%b)
    %y = Relu(%c)
  })");
  // HardSwish is two nodes in this operator set.
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(graph, {.opset = 13});
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  const ModelProto model = Written(*bytes);
  std::set<std::string> names;
  std::size_t named = 0;
  for (const NodeProto& node : model.graph->node) {
    if (node.name.empty()) continue;
    ++named;
    EXPECT_TRUE(names.insert(node.name).second) << node.name;
  }
  EXPECT_EQ(named, 3U);
  EXPECT_TRUE(names.contains("same"));
}

TEST(OnnxExport, AnOperatorThatOnnxLacksComesBackFromItsOwnDomain) {
  const Graph graph = Read(R"(graph g(x: f32[2], s: f32[], z: u8[]) -> (y) {
    %y = QuantizeLinear(%x, %s, %z) {arithmetic = "fixed31"}
  })");
  EXPECT_NE(Again(graph, 21).find("arithmetic = \"fixed31\""), std::string::npos)
      << Again(graph, 21);
}

TEST(OnnxExport, ProductsOfBytesAreIntegersToOthersAndComeBack) {
  const std::string text = R"(graph g(x: f32[2, 5]) -> (y, r) {
    const %w: i8[5, 2] = [100, -3, 7, 80, -127, 1, 0, 55, 9, -60]
    const %t: f32[2] = [0.01, 0.02]
    %q, %s, %z = DynamicQuantizeLinear(%x)
    %a = DequantizeLinear(%q, %s, %z)
    %b = DequantizeLinear(%w, %t)
    %y = MatMul(%a, %b)
    %r = Relu(%a)
  })";
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(Read(text), {.opset = 17});
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  std::multiset<std::string> ops;
  const ModelProto model = Written(*bytes);
  for (const NodeProto& node : model.graph->node) ops.insert(node.op_type);
  // Somebody else reads what the bytes stand for; nobody reads the real weights.
  EXPECT_EQ(ops, (std::multiset<std::string>{"Cast", "DequantizeLinear", "DynamicQuantizeLinear",
                                             "MatMulInteger", "Mul", "Mul", "Relu"}));
}

TEST(OnnxExport, SaysWhatOthersDoNotRead) {
  const Graph graph = Read(R"(graph g(x: f32[2, 2], s: f32[], z: u8[]) -> (y, a, b) {
    %y = QuantizeLinear(%x, %s, %z)
    %a = Cos(%x)
    %b = Inverse(%x)
  })");
  EXPECT_EQ(OwnOperators(graph), std::set<std::string>());
  const Graph own = Read(R"(graph g(x: f32[2], s: f32[], z: u8[]) -> (y, a) {
    %y = QuantizeLinear(%x, %s, %z) {arithmetic = "fixed31"}
    %a = HardSwish(%x)
  })");
  EXPECT_EQ(OwnOperators(own), std::set<std::string>{"QuantizeLinear"});
}

TEST(OnnxExport, EverythingThatCannotBeWrittenIsListedWithTheOperatorSetThatWouldDo) {
  const Graph graph = Read(R"(graph g(x: f32[2, 3], k: i64[1]) -> (a, b) {
    %a = Slice(%x, %k, %k) @first
    %b = Reshape(%x, %k) {allowzero = 1} @second
  })");
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(graph, {.opset = 9});
  ASSERT_FALSE(bytes.ok());
  const std::string error = bytes.status().ToString();
  EXPECT_NE(error.find("node \"first\" (Slice)"), std::string::npos) << error;
  EXPECT_NE(error.find("node \"second\" (Reshape): cannot be written in operator set 9: attribute "
                       "\"allowzero\" does not exist there; operator set 14 has it"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("fix: write operator set 14"), std::string::npos) << error;
  EXPECT_FALSE(ExportOnnx(graph, {.opset = 6}).ok());
  EXPECT_FALSE(ExportOnnx(graph, {.opset = 29}).ok());
}

TEST(OnnxExport, AxesBecomeAttributesInOldOperatorSets) {
  const Graph graph = Read(R"(graph g(x: f32[2, 1, 3]) -> (y) {
    const %axes: i64[1] = [-2]
    %t = Squeeze(%x, %axes)
    %y = Unsqueeze(%t, %axes)
  })");
  const Result<std::vector<std::uint8_t>> bytes = ExportOnnx(graph, {.opset = 9});
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  const ModelProto model = Written(*bytes);
  EXPECT_EQ(model.graph->node[0].attribute[0].ints, std::vector<std::int64_t>{1});
  EXPECT_NE(Again(graph, 9).find("-> (y: f32[2, 1, 3])"), std::string::npos) << Again(graph, 9);
}

TEST(OnnxExport, LargeWeightsGoIntoASecondFile) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("athanor_export_{}", getpid());
  std::filesystem::create_directories(folder);
  const Graph graph = Read(R"(graph g(x: f32[1000]) -> (y) {
    const %w: f32[1000] = random(1)
    const %v: f32[1000] = random(2)
    %t = Add(%x, %w)
    %y = Add(%t, %v)
  })");
  const std::string path = (folder / "m.onnx").string();
  EXPECT_FALSE(ExportOnnx(graph, {.external_above = 100}).ok());
  ASSERT_TRUE(SaveOnnx(graph, path, {.external_above = 100}).ok());
  EXPECT_LT(std::filesystem::file_size(path), 2000U);
  EXPECT_GT(std::filesystem::file_size(path + ".data"), 8000U);
  const Result<Graph> back = LoadModel(path);
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  EXPECT_EQ(PrintText(*back), PrintText(graph));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace athanor::onnx
