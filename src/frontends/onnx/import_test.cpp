#include "frontends/onnx/import.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/file.h"
#include "frontends/load.h"
#include "frontends/onnx/node_import.h"
#include "frontends/onnx/schema.h"
#include "ir/evaluate.h"
#include "ir/text.h"

namespace athanor::onnx {
namespace {

constexpr std::int32_t kFloat = 1, kInt64 = 7;

TypeProto FloatType(std::vector<DimProto> dims) {
  TypeProto type;
  type.tensor.emplace();
  type.tensor->elem_type = kFloat;
  type.tensor->shape.emplace();
  type.tensor->shape->dim = std::move(dims);
  return type;
}

DimProto Number(std::int64_t value) { return {.value = value, .symbol = {}}; }
DimProto Symbol(std::string name) { return {.value = {}, .symbol = std::move(name)}; }

ValueInfoProto Info(std::string name, std::vector<DimProto> dims = {Number(2)}) {
  return {.name = std::move(name), .type = FloatType(std::move(dims))};
}

NodeProto MakeNode(std::string op, std::vector<std::string> inputs,
                   std::vector<std::string> outputs, std::string name = "") {
  NodeProto node;
  node.op_type = std::move(op);
  node.input = std::move(inputs);
  node.output = std::move(outputs);
  node.name = std::move(name);
  return node;
}

TensorProto Floats(std::string name, std::vector<float> values) {
  TensorProto tensor;
  tensor.name = std::move(name);
  tensor.data_type = kFloat;
  tensor.dims = {static_cast<std::int64_t>(values.size())};
  tensor.float_data = std::move(values);
  return tensor;
}

// x -> y through `nodes`.
ModelProto MakeModel(std::vector<NodeProto> nodes) {
  ModelProto model;
  model.ir_version = 8;
  model.opset_import.push_back({"", 13});
  model.graph.emplace();
  model.graph->node = std::move(nodes);
  model.graph->input.push_back(Info("x"));
  model.graph->output.push_back(Info("y"));
  return model;
}

Result<Graph> ImportBytes(const std::vector<std::uint8_t>& bytes, std::string folder = "") {
  auto owner = std::make_shared<std::vector<std::uint8_t>>(bytes);
  return Import(*owner, owner, {.folder = std::move(folder)});
}

Result<Graph> ImportModel(ModelProto model, std::string folder = "") {
  return ImportBytes(protobuf::Serialize(model), std::move(folder));
}

std::string TextOf(ModelProto model) {
  const Result<Graph> graph = ImportModel(std::move(model));
  return graph.ok() ? PrintText(*graph) : graph.status().ToString();
}

std::string ErrorOf(ModelProto model, std::string folder = "") {
  const Result<Graph> graph = ImportModel(std::move(model), std::move(folder));
  return graph.ok() ? "no error" : graph.status().ToString();
}

FunctionProto Function(std::string name, std::vector<NodeProto> nodes) {
  FunctionProto function;
  function.name = std::move(name);
  function.domain = "local";
  function.input = {"a"};
  function.output = {"b"};
  function.node = std::move(nodes);
  function.opset_import.push_back({"", 13});
  return function;
}

NodeProto Call(std::string name, std::string input, std::string output) {
  NodeProto node = MakeNode(std::move(name), {std::move(input)}, {std::move(output)}, "call");
  node.domain = "local";
  return node;
}

TEST(OnnxImport, AFunctionIsReadInPlaceOfItsCall) {
  ModelProto model = MakeModel({Call("Outer", "x", "y")});
  model.functions.push_back(Function("Inner", {MakeNode("Relu", {"a"}, {"b"})}));
  model.functions.push_back(
      Function("Outer", {Call("Inner", "a", "t"), MakeNode("Add", {"t", "a"}, {"b"})}));
  EXPECT_EQ(TextOf(std::move(model)), R"(graph main(x: f32[2]) -> (y: f32[2]) {
  %t: f32[2] = Relu(%x)
  %y: f32[2] = Add(%t, %x)
}
)");
}

TEST(OnnxImport, AFunctionsAttributeComesFromTheCallerOrItsDefault) {
  NodeProto reshape = MakeNode("Reshape", {"a", "shape"}, {"b"});
  reshape.attribute.emplace_back();
  reshape.attribute[0].name = "allowzero";
  reshape.attribute[0].type = static_cast<std::int32_t>(AttributeType::kInt);
  reshape.attribute[0].ref_attr_name = "keep";
  FunctionProto function = Function("Shaped", {reshape});
  function.input = {"a", "shape"};
  function.attribute_proto.emplace_back();
  function.attribute_proto[0].name = "keep";
  function.attribute_proto[0].type = static_cast<std::int32_t>(AttributeType::kInt);
  function.attribute_proto[0].i = 1;
  function.opset_import[0].version = 14;
  NodeProto call = Call("Shaped", "x", "y");
  call.input.push_back("shape");
  ModelProto model = MakeModel({call});
  model.functions.push_back(function);
  TensorProto shape;
  shape.name = "shape";
  shape.data_type = kInt64;
  shape.dims = {1};
  shape.int64_data = {2};
  model.graph->initializer.push_back(shape);
  EXPECT_NE(TextOf(model).find("{allowzero = 1}"), std::string::npos) << TextOf(model);
  model.graph->node[0].attribute.push_back(function.attribute_proto[0]);
  model.graph->node[0].attribute[0].i = 0;
  EXPECT_EQ(TextOf(model).find("allowzero"), std::string::npos) << TextOf(model);
}

TEST(OnnxImport, OverloadsOfAFunctionAreToldApart) {
  ModelProto model = MakeModel({Call("F", "x", "y")});
  model.graph->node[0].overload = "second";
  model.functions.push_back(Function("F", {MakeNode("Relu", {"a"}, {"b"})}));
  model.functions.push_back(Function("F", {MakeNode("Identity", {"a"}, {"b"})}));
  model.functions[1].overload = "second";
  EXPECT_NE(TextOf(std::move(model)).find("Identity"), std::string::npos);
}

TEST(OnnxImport, AFunctionThatCallsItselfIsRefused) {
  ModelProto model = MakeModel({Call("F", "x", "y")});
  model.functions.push_back(Function("F", {Call("F", "a", "b")}));
  EXPECT_EQ(ErrorOf(std::move(model)),
            "error ATH-2001 [import] node \"call\" (F): function \"F\" calls itself; recursion is "
            "not allowed");
}

TEST(OnnxImport, FunctionsThatMultiplyWithoutEndAreStopped) {
  ModelProto model = MakeModel({Call("F0", "x", "y")});
  for (int i = 0; i < 60; ++i) {
    const std::string next = fmt::format("F{}", i + 1);
    model.functions.push_back(
        Function(fmt::format("F{}", i), {Call(next, "a", "t"), Call(next, "t", "b")}));
  }
  model.functions.push_back(Function("F60", {MakeNode("Relu", {"a"}, {"b"})}));
  EXPECT_NE(ErrorOf(std::move(model)).find("ATH-4001"), std::string::npos);
}

TEST(OnnxImport, FunctionsThatCallEachOtherTooDeepAreRefusedWhereverTheyAreFirstCalled) {
  constexpr int kDepth = 1000;
  ModelProto model = MakeModel({});
  model.functions.push_back(Function("F0", {MakeNode("Relu", {"a"}, {"b"})}));
  for (int i = 1; i <= kDepth; ++i) {
    const std::string callee = fmt::format("F{}", i - 1);
    model.functions.push_back(Function(fmt::format("F{}", i), {Call(callee, "a", "b")}));
    model.graph->node.push_back(Call(callee, "x", fmt::format("t{}", i)));
  }
  model.graph->node.push_back(Call(fmt::format("F{}", kDepth), "x", "y"));
  const std::string error = ErrorOf(std::move(model));
  EXPECT_NE(error.find("functions call each other more than 64 deep"), std::string::npos) << error;
}

TEST(OnnxImport, ModelsOfTooManyNodesAreRefusedAndProblemsAreListedUpToALimit) {
  const std::string many = ErrorOf(MakeModel(std::vector<NodeProto>(300'001, Call("", "", ""))));
  EXPECT_LT(std::count(many.begin(), many.end(), '\n'), 1000);
  const std::string error =
      ErrorOf(MakeModel(std::vector<NodeProto>(300'001, MakeNode("Relu", {"x"}, {}))));
  EXPECT_NE(error.find("more than 300000 nodes"), std::string::npos) << error;
}

TEST(OnnxImport, MillionsOfEmptyMessagesAreRefusedBeforeTheyTakeMemory) {
  std::vector<std::uint8_t> bytes = {0x3A, 0x80, 0x80, 0x80, 0x02};           // a graph of 4 MiB
  for (int i = 0; i < 2 << 20; ++i) bytes.insert(bytes.end(), {0x0A, 0x00});  // of empty nodes
  const Result<Graph> graph = ImportBytes(bytes);
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().ToString().find("ATH-4001"), std::string::npos);
}

TEST(OnnxImport, AllProblemsAreListedWithTheirNodesAndSuggestions) {
  const std::string error = ErrorOf(MakeModel(
      {MakeNode("Relo", {"x"}, {"a"}, "first"), MakeNode("Bernoullli", {"x"}, {"b"}, "second")}));
  EXPECT_NE(error.find("node \"first\" (Relo): there is no operator ai.onnx.Relo (did you mean "
                       "\"Relu\"?)"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("node \"second\""), std::string::npos) << error;
  EXPECT_NE(ErrorOf(MakeModel({MakeNode("Relu", {"xx"}, {"y"}, "n")}))
                .find("node \"n\" (Relu): input \"xx\" is never defined (did you mean \"x\"?)"),
            std::string::npos);
}

TEST(OnnxImport, AnOperatorThatIsTooNewForItsOperatorSetIsNamedWithAFix) {
  ModelProto model = MakeModel({MakeNode("Reshape", {"x"}, {"y"}, "r")});
  model.opset_import[0].version = 0;
  EXPECT_NE(ErrorOf(model).find("versions start at 1"), std::string::npos);
  model.opset_import.clear();
  EXPECT_NE(ErrorOf(model).find("fix: add an opset_import"), std::string::npos);
}

TEST(OnnxImport, ANewerOperatorSetAndIrVersionAreRead) {
  ModelProto model = MakeModel({MakeNode("Relu", {"x"}, {"y"})});
  model.ir_version = 99;
  model.opset_import[0].version = 99;
  EXPECT_EQ(ErrorOf(std::move(model)), "no error");
}

TEST(OnnxImport, NodesMayStandInAnyOrderAlsoForSubGraphs) {
  EXPECT_EQ(ErrorOf(MakeModel({MakeNode("Relu", {"t"}, {"y"}), MakeNode("Relu", {"x"}, {"t"})})),
            "no error");
  EXPECT_NE(ErrorOf(MakeModel({MakeNode("Relu", {"t"}, {"y"}), MakeNode("Relu", {"y"}, {"t"})}))
                .find("cycle"),
            std::string::npos);
}

TEST(OnnxImport, NamesDefinedTwiceAreRefused) {
  EXPECT_NE(ErrorOf(MakeModel({MakeNode("Relu", {"x"}, {"y"}), MakeNode("Relu", {"x"}, {"y"})}))
                .find("\"y\" is defined twice"),
            std::string::npos);
  ModelProto model = MakeModel({MakeNode("Relu", {"x"}, {"y"})});
  model.graph->input.push_back(Info("x"));
  EXPECT_NE(ErrorOf(std::move(model)).find("\"x\" is defined twice"), std::string::npos);
}

TEST(OnnxImport, AnInitializerListedAsInputIsAConstant) {
  ModelProto model = MakeModel({MakeNode("Add", {"x", "w"}, {"y"})});
  model.graph->input.push_back(Info("w"));
  model.graph->initializer.push_back(Floats("w", {1, 2}));
  model.graph->initializer.push_back(Floats("unused", {3}));
  const Result<Graph> graph = ImportModel(std::move(model));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->inputs().size(), 1U);
}

TEST(OnnxImport, SparseInitializersBecomeDense) {
  ModelProto model = MakeModel({MakeNode("Add", {"x", "w"}, {"y"})});
  SparseTensorProto& sparse = model.graph->sparse_initializer.emplace_back();
  sparse.values = Floats("w", {5});
  sparse.indices.data_type = kInt64;
  sparse.indices.dims = {1};
  sparse.indices.int64_data = {1};
  sparse.dims = {2};
  EXPECT_NE(TextOf(model).find("const %w: f32[2] = [0, 5]"), std::string::npos) << TextOf(model);
  model.graph->sparse_initializer[0].indices.int64_data = {2};
  EXPECT_NE(ErrorOf(model).find("outside [0, 2)"), std::string::npos);
  model.graph->sparse_initializer[0].dims = {std::int64_t{1} << 40};
  EXPECT_NE(ErrorOf(model).find("ATH-4001"), std::string::npos);
}

TEST(OnnxImport, DimensionNamesMayHaveAnyCharactersAndEmptyOnesAreUnknown) {
  ModelProto model = MakeModel({MakeNode("Relu", {"x"}, {"y"})});
  model.graph->input[0] =
      Info("x", {Symbol("batch-size"), Symbol(""), Symbol("2*N + 1"), Symbol("a b?")});
  model.graph->output[0].type.reset();
  EXPECT_NE(TextOf(model).find("x: f32[\"batch-size\", ?, 2*N + 1, \"a b?\"]"), std::string::npos)
      << TextOf(model);
}

TEST(OnnxImport, DeclaredShapesFillInWhatInferenceLeavesOpenAndNeverOverride) {
  ModelProto model =
      MakeModel({MakeNode("Reshape", {"x", "s"}, {"t"}), MakeNode("Relu", {"t"}, {"y"})});
  ValueInfoProto shape = Info("s", {Number(2)});
  shape.type->tensor->elem_type = kInt64;
  model.graph->input.push_back(shape);
  model.graph->value_info.push_back(Info("t", {Number(1), Symbol("N")}));
  model.graph->output[0].type.reset();
  EXPECT_NE(TextOf(model).find("%y: f32[1, N]"), std::string::npos) << TextOf(model);
  ModelProto stale = MakeModel({MakeNode("Relu", {"x"}, {"t"}), MakeNode("Relu", {"t"}, {"y"})});
  stale.graph->input[0] = Info("x", {Symbol("N")});
  stale.graph->value_info.push_back(Info("t", {Number(1)}));
  EXPECT_NE(TextOf(stale).find("%t: f32[N]"), std::string::npos) << TextOf(stale);
}

TEST(OnnxImport, AnOutputOfAnotherElementTypeThanDeclaredIsRefused) {
  ModelProto model = MakeModel({MakeNode("Relu", {"x"}, {"y"})});
  model.graph->output[0].type->tensor->elem_type = kInt64;
  EXPECT_NE(ErrorOf(std::move(model)).find("output \"y\" is declared i64[2] but is f32[2]"),
            std::string::npos);
}

TEST(OnnxImport, AnAttributeOfTheWrongKindIsRefused) {
  ModelProto model = MakeModel({MakeNode("Reshape", {"x", "s"}, {"y"})});
  model.graph->initializer.push_back(Floats("s", {2}));
  model.graph->initializer[0].data_type = kInt64;
  model.graph->initializer[0].float_data.clear();
  model.graph->initializer[0].int64_data = {2};
  AttributeProto& attribute = model.graph->node[0].attribute.emplace_back();
  attribute.name = "allowzero";
  attribute.f = 1.0F;
  attribute.type = static_cast<std::int32_t>(AttributeType::kFloat);
  EXPECT_NE(ErrorOf(std::move(model)).find("wrong kind; int is expected"), std::string::npos);
}

class ExternalData : public testing::Test {
 protected:
  ExternalData() {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("athanor_external_{}", getpid());
    std::filesystem::create_directories(folder_ / "models");
  }
  ~ExternalData() override { std::filesystem::remove_all(folder_); }

  ModelProto ModelWith(std::string location, std::string offset) {
    ModelProto model = MakeModel({MakeNode("Add", {"x", "w"}, {"y"})});
    TensorProto& w = model.graph->initializer.emplace_back();
    w.name = "w";
    w.data_type = kFloat;
    w.dims = {2};
    w.data_location = 1;
    w.external_data = {{"location", std::move(location)}, {"offset", std::move(offset)}};
    return model;
  }
  std::string Models() const { return (folder_ / "models").string(); }

  std::filesystem::path folder_;
};

TEST_F(ExternalData, BeyondFourGigabytesIsReadInPlace) {
  constexpr std::uint64_t kOffset = 5'000'000'000;
  {
    std::ofstream file(folder_ / "models" / "weights.bin", std::ios::binary);
    const float values[2] = {1.5F, -2.0F};
    file.seekp(kOffset);  // a hole: takes no space on disk
    file.write(reinterpret_cast<const char*>(values), sizeof(values));
  }
  const Result<Graph> graph =
      ImportModel(ModelWith("weights.bin", std::to_string(kOffset)), Models());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_NE(PrintText(*graph).find("const %w: f32[2] = [1.5, -2]"), std::string::npos);
}

TEST_F(ExternalData, OutsideTheModelsFolderIsRefused) {
  std::ofstream(folder_ / "secret.bin") << "12345678";
  std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "models" / "link.bin");
  const std::string absolute = (folder_ / "models" / "link.bin").string();
  for (const std::string& location :
       {std::string("../secret.bin"), std::string("a/../../secret.bin"), absolute,
        std::string("link.bin"), std::string()}) {
    const std::string error = ErrorOf(ModelWith(location, "0"), Models());
    EXPECT_NE(error.find("ATH-2201"), std::string::npos) << location << ": " << error;
  }
  EXPECT_NE(ErrorOf(ModelWith("weights.bin", "0"), "").find("ATH-2201"), std::string::npos);
}

TEST_F(ExternalData, ManyCopiesOfTheSameBytesAreRefused) {
  std::filesystem::resize_file(
      (std::ofstream(folder_ / "models" / "weights.bin"), folder_ / "models" / "weights.bin"),
      1 << 20);
  ModelProto model = ModelWith("weights.bin", "0");
  for (int i = 0; i < 100; ++i) {
    TensorProto& shared = model.graph->initializer.emplace_back(model.graph->initializer[0]);
    shared.name = fmt::format("bools{}", i);
    shared.data_type = 9;  // BOOL
    shared.dims = {1 << 20};
  }
  const std::string error = ErrorOf(std::move(model), Models());
  EXPECT_NE(error.find("take more than 8 times its size"), std::string::npos) << error;
}

TEST_F(ExternalData, BeyondTheEndOfTheFileIsRefused) {
  std::ofstream(folder_ / "models" / "weights.bin") << "12345678";
  for (const char* offset :
       {"1", "99", "18446744073709551615", "18446744073709551616", "-1", "x"}) {
    const std::string error = ErrorOf(ModelWith("weights.bin", offset), Models());
    EXPECT_NE(error.find("initializer \"w\""), std::string::npos) << error;
  }
  EXPECT_NE(ErrorOf(ModelWith("none.bin", "0"), Models()).find("ATH-1004"), std::string::npos);
}

// Version 18 of the operator has a scale per group; no table of all channels is made of it.
TEST(OnnxImport, GroupScalesOfManyChannelsTakeNoMemory) {
  NodeProto node = MakeNode("GroupNormalization", {"x", "s", "b"}, {"y"});
  AttributeProto& groups = node.attribute.emplace_back();
  groups.name = "num_groups";
  groups.type = 2;  // INT
  groups.i = 1;
  ModelProto model = MakeModel({node});
  model.opset_import[0].version = 18;
  const std::vector<DimProto> dims = {Number(1), Number(std::int64_t{1} << 40), Number(1)};
  model.graph->input[0] = Info("x", dims);
  model.graph->output[0] = Info("y", dims);
  model.graph->initializer = {Floats("s", {2}), Floats("b", {1})};
  const Result<Graph> graph = ImportModel(std::move(model));
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
}

TEST(OnnxImport, TheDocumentListsEveryOperator) {
  const Result<std::string> text = ReadTextFile("docs/formats/onnx.md");
  ASSERT_TRUE(text.ok());
  const std::string list = text->substr(text->find("## Operators read"));
  std::set<std::pair<std::string_view, std::string_view>> names;
  for (const Row& row : Table()) names.emplace(row.domain, row.onnx);
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * static_cast<int>(names.size()));
  for (const auto& [domain, name] : names) {
    // Behind the domain's own line, before the next domain's.
    const std::size_t begin =
        list.find(fmt::format("\n{}:\n", domain.empty() ? "ai.onnx" : domain));
    ASSERT_NE(begin, std::string::npos) << domain;
    const std::string part = list.substr(begin, list.find(":\n", begin + 60) - begin);
    EXPECT_NE(part.find(fmt::format("`{}`", name)), std::string::npos) << domain << " " << name;
  }
}

}  // namespace
}  // namespace athanor::onnx
