// DictVectorizer and CastMap against what ONNX Runtime 1.31 answers for the same maps.
#include "frontends/onnx/map_inputs.h"

#include <gtest/gtest.h>

#include <cmath>

#include "frontends/onnx/import.h"
#include "ir/evaluate.h"

namespace athanor::onnx {
namespace {

constexpr std::int32_t kFloat = 1, kInt64 = 7, kString = 8;

Bytes View(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

AttributeProto Ints(std::string name, std::vector<std::int64_t> values) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.type = static_cast<std::int32_t>(AttributeType::kInts);
  attribute.ints = std::move(values);
  return attribute;
}
AttributeProto Int(std::string name, std::int64_t value) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.type = static_cast<std::int32_t>(AttributeType::kInt);
  attribute.i = value;
  return attribute;
}
AttributeProto Text(std::string name, std::string_view value) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.type = static_cast<std::int32_t>(AttributeType::kString);
  attribute.s = View(value);
  return attribute;
}

// y of one operator on a map x from keys to floats.
ModelProto MapModel(std::string op, std::int32_t key, std::int32_t out,
                    std::vector<AttributeProto> attributes) {
  ModelProto model;
  model.ir_version = 8;
  model.opset_import = {{"", 13}, {"ai.onnx.ml", 2}};
  model.graph.emplace();
  NodeProto node;
  node.op_type = std::move(op);
  node.domain = "ai.onnx.ml";
  node.input = {"x"};
  node.output = {"y"};
  node.attribute = std::move(attributes);
  model.graph->node = {node};
  TypeProto value, map, result;
  value.tensor.emplace();
  value.tensor->elem_type = kFloat;
  map.map.emplace();
  map.map->key_type = key;
  map.map->value_type = std::make_shared<TypeProto>(value);
  result.tensor.emplace();
  result.tensor->elem_type = out;
  model.graph->input = {{.name = "x", .type = map}};
  model.graph->output = {{.name = "y", .type = result}};
  return model;
}

Result<Graph> Read(ModelProto model) {
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(protobuf::Serialize(model));
  return Import(*bytes, bytes, {});
}

// The answer for one row of the graph's columns.
Tensor Answer(const Result<Graph>& graph, const std::vector<float>& row) {
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  std::vector<Datum> inputs;
  for (const float value : row) inputs.emplace_back(Tensor::FromVector<float>({1, 1}, {value}));
  Result<std::vector<Datum>> outputs = Evaluate(*graph, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  return outputs.ok() ? (*outputs)[0].tensor() : Tensor();
}

TEST(MapInputs, BecomeColumnsOfTheVocabulary) {
  AttributeProto words;
  words.name = "string_vocabulary";
  words.type = static_cast<std::int32_t>(AttributeType::kStrings);
  words.strings = {View("c"), View("a"), View("b")};
  const Result<Graph> graph = Read(MapModel("DictVectorizer", kString, kFloat, {words}));
  EXPECT_EQ(graph->value(graph->inputs()[1]).name, "a");
  EXPECT_TRUE(
      Answer(graph, {2.5F, 1.5F, NAN}).SameAs(Tensor::FromVector<float>({1, 3}, {2.5F, 1.5F, 0})));
  const Result<Graph> numbers =
      Read(MapModel("DictVectorizer", kInt64, kFloat, {Ints("int64_vocabulary", {1, 2, 3})}));
  EXPECT_EQ(numbers->value(numbers->inputs()[2]).name, "x[3]");
  EXPECT_TRUE(Answer(numbers, {2.5F, NAN, 1.5F})
                  .SameAs(Tensor::FromVector<float>({1, 3}, {2.5F, 0, 1.5F})));
}

TEST(MapInputs, AreCastAsOnnxRuntimeCastsThem) {
  const auto sparse = [](std::string_view to, std::int32_t out) {
    return Read(MapModel("CastMap", kInt64, out,
                         {Text("cast_to", to), Text("map_form", "SPARSE"), Int("max_map", 5)}));
  };
  const std::vector<float> row = {NAN, 2.5F, NAN, 1.5F, NAN};
  EXPECT_TRUE(Answer(sparse("TO_FLOAT", kFloat), row)
                  .SameAs(Tensor::FromVector<float>({1, 5}, {0, 2.5F, 0, 1.5F, 0})));
  EXPECT_TRUE(Answer(sparse("TO_INT64", kInt64), row)
                  .SameAs(Tensor::FromVector<std::int64_t>({1, 5}, {0, 2, 0, 1, 0})));
  EXPECT_TRUE(Answer(sparse("TO_STRING", kString), row)
                  .SameAs(Tensor::FromVector<std::string>(
                      {1, 5}, {"0.f", "2.500000", "0.f", "1.500000", "0.f"})));
  const Result<Graph> dense =
      Read(MapModel("CastMap", kInt64, kFloat, {Text("map_form", "DENSE")}));
  ASSERT_TRUE(dense.ok()) << dense.status().ToString();
  EXPECT_EQ(dense->value(dense->inputs()[0]).type.ToString(), "f32[N, values]");
}

TEST(MapInputs, AreRefusedWhereNothingTakesThemApart) {
  ModelProto model = MapModel("DictVectorizer", kInt64, kFloat, {});
  EXPECT_NE(Read(model).status().ToString().find("has no vocabulary"), std::string::npos);
  model.graph->node[0].op_type = "Normalizer";
  EXPECT_NE(Read(model).status().ToString().find("one DictVectorizer or CastMap"),
            std::string::npos);
  model =
      MapModel("CastMap", kInt64, kFloat, {Text("map_form", "SPARSE"), Int("max_map", 1 << 30)});
  EXPECT_NE(Read(model).status().ToString().find("max_map is"), std::string::npos);
}

}  // namespace
}  // namespace athanor::onnx
