#include "frontends/onnx/partition.h"

#include <gtest/gtest.h>

#include "frontends/answer_for_test.h"
#include "frontends/onnx/schema.h"

namespace athanor::onnx {
namespace {

ValueInfoProto Port(std::string name) {
  TypeProto type;
  type.tensor.emplace();
  type.tensor->elem_type = 1;
  type.tensor->shape.emplace();
  type.tensor->shape->dim.push_back({.value = 2, .symbol = {}});
  return {.name = std::move(name), .type = std::move(type)};
}

NodeProto Step(std::string op, std::vector<std::string> inputs, std::vector<std::string> outputs,
               std::string domain = "") {
  NodeProto node;
  node.name = "node_" + outputs[0];
  node.op_type = std::move(op);
  node.input = std::move(inputs);
  node.output = std::move(outputs);
  node.domain = std::move(domain);
  return node;
}

constexpr const char* kOther = "com.acme";

ModelProto FromXToY(std::vector<NodeProto> nodes) {
  ModelProto model;
  model.ir_version = 8;
  model.opset_import = {{"", 13}, {kOther, 1}};
  model.graph.emplace();
  model.graph->node = std::move(nodes);
  model.graph->input.push_back(Port("x"));
  model.graph->output.push_back(Port("y"));
  return model;
}

Result<Partition> PartitionOf(ModelProto model) {
  return PartitionModel(protobuf::Serialize(model), {});
}

using Strings = std::vector<std::string>;

TEST(PartitionModel, PutsTheUnknownNodeBetweenWhatIsRead) {
  const Result<Partition> partition =
      PartitionOf(FromXToY({Step("Relu", {"x"}, {"a"}), Step("Fancy", {"a", "x"}, {"b"}, kOther),
                            Step("Neg", {"b"}, {"c"}), Step("Add", {"c", "a"}, {"y"})}));
  ASSERT_TRUE(partition.ok()) << partition.status().ToString();
  EXPECT_EQ(partition->nodes, 4U);
  ASSERT_EQ(partition->unread.size(), 1U);
  EXPECT_EQ(partition->unread[0].op, "com.acme.Fancy");
  EXPECT_EQ(partition->unread[0].place, "node \"node_b\" (Fancy)");
  EXPECT_EQ(partition->unread[0].reason, "there is no operator com.acme.Fancy");
  ASSERT_EQ(partition->stages.size(), 3U);
  EXPECT_EQ(partition->stages[0].outputs, Strings{"a"});
  EXPECT_EQ(partition->stages[1].inputs, (Strings{"a", "x"}));
  EXPECT_EQ(partition->stages[1].outputs, Strings{"b"});
  EXPECT_FALSE(partition->stages[1].graph.has_value());
  EXPECT_EQ(partition->stages[2].inputs, (Strings{"a", "b"}));
  // relu(x), and -b + a; by hand.
  EXPECT_EQ(Answer(partition->stages[0].graph->Clone(), {2}, {-1, 2}), (std::vector<float>{0, 2}));
  EXPECT_EQ(partition->assumed, Strings{"b"});  // the file says nothing about its type
}

TEST(PartitionModel, WritesTheRestAsItStoodInTheModel) {
  NodeProto fancy = Step("Fancy", {"x", "w"}, {"y"}, kOther);
  fancy.doc_string = "as it stood";
  fancy.attribute.emplace_back();
  fancy.attribute[0].name = "depth";
  fancy.attribute[0].i = 7;
  fancy.attribute[0].type = 2;
  ModelProto model = FromXToY({fancy});
  TensorProto weight;
  weight.name = "w";
  weight.data_type = 1;
  weight.dims = {2};
  weight.float_data = {3, 4};
  model.graph->initializer.push_back(weight);
  weight.name = "nobody_reads_it";
  model.graph->initializer.push_back(weight);
  const Result<Partition> partition = PartitionOf(std::move(model));
  ASSERT_TRUE(partition.ok()) << partition.status().ToString();
  ASSERT_EQ(partition->stages.size(), 1U);
  Result<ModelProto> rest = protobuf::Parse<ModelProto>(*partition->stages[0].onnx, "ONNX model");
  ASSERT_TRUE(rest.ok());
  ASSERT_EQ(rest->graph->node.size(), 1U);
  EXPECT_EQ(protobuf::Serialize(rest->graph->node[0]), protobuf::Serialize(fancy));
  ASSERT_EQ(rest->graph->initializer.size(), 1U);
  EXPECT_EQ(rest->graph->initializer[0].name, "w");
  EXPECT_EQ(rest->opset_import.size(), 2U);
}

TEST(PartitionModel, ANodeThatIsKnownButNotInThisFormGoesToTheRestToo) {
  NodeProto odd = Step("Conv", {"a", "a"}, {"y"});  // a Conv of vectors: there is no such thing
  const Result<Partition> partition = PartitionOf(FromXToY({Step("Relu", {"x"}, {"a"}), odd}));
  ASSERT_TRUE(partition.ok()) << partition.status().ToString();
  ASSERT_EQ(partition->unread.size(), 1U);
  EXPECT_EQ(partition->unread[0].op, "ai.onnx.Conv");
  EXPECT_EQ(partition->stages.size(), 2U);
}

TEST(PartitionModel, NodesThatDoNotWaitForTheRestComeBeforeIt) {
  const Result<Partition> partition =
      PartitionOf(FromXToY({Step("Fancy", {"x"}, {"a"}, kOther), Step("Relu", {"x"}, {"b"}),
                            Step("Fancy", {"b"}, {"c"}, kOther), Step("Neg", {"b"}, {"d"}),
                            Step("Sum", {"a", "c", "d"}, {"y"})}));
  ASSERT_TRUE(partition.ok()) << partition.status().ToString();
  ASSERT_EQ(partition->stages.size(), 3U);  // Relu, Neg; both Fancy; Sum
  EXPECT_EQ(partition->stages[0].operators.size(), 2U);
  EXPECT_EQ(partition->stages[1].operators.at("com.acme.Fancy"), 2U);
}

TEST(PartitionModel, AModelThatIsReadIsOneStage) {
  const Result<Partition> partition = PartitionOf(FromXToY({Step("Relu", {"x"}, {"y"})}));
  ASSERT_TRUE(partition.ok());
  EXPECT_TRUE(partition->unread.empty());
  ASSERT_EQ(partition->stages.size(), 1U);
  EXPECT_TRUE(partition->stages[0].graph.has_value());
}

// A file whose one node carries what PyTorch's exporter writes beside it.
struct NotedNode {
  std::vector<std::string> input, output;
  std::string op, domain;
  std::vector<StringEntry> metadata;
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(4, op), v(7, domain), v(9, metadata);
  }
};
struct NotedGraph {
  std::vector<NotedNode> node;
  std::vector<ValueInfoProto> input, output;
  template <class V>
  void Fields(V& v) {
    v(1, node), v(11, input), v(12, output);
  }
};
struct NotedModel {
  std::int64_t ir_version = 10;
  NotedGraph graph;
  std::vector<OperatorSetId> sets = {{"", 18}, {kOther, 1}};
  template <class V>
  void Fields(V& v) {
    v(1, ir_version), v(7, graph), v(8, sets);
  }
};

TEST(PartitionModel, SaysWhichLineOfTheUserMadeTheNode) {
  NotedModel model;
  model.graph.node.push_back(
      {.input = {"x"},
       .output = {"y"},
       .op = "Fancy",
       .domain = kOther,
       .metadata = {{"pkg.torch.onnx.stack_trace",
                     "File \"/usr/torch/nn.py\", line 9, in call\nFile \"net.py\", line 31, in "
                     "forward\n    return fancy(x)"}}});
  model.graph.input.push_back(Port("x"));
  model.graph.output.push_back(Port("y"));
  const Result<Partition> partition = PartitionModel(protobuf::Serialize(model), {});
  ASSERT_TRUE(partition.ok()) << partition.status().ToString();
  ASSERT_EQ(partition->unread.size(), 1U);
  EXPECT_EQ(partition->unread[0].source, "File \"net.py\", line 31, in forward");
}

TEST(PartitionModel, ACycleAndADamagedFileAreErrors) {
  EXPECT_EQ(PartitionOf(FromXToY({Step("Relu", {"b"}, {"a"}), Step("Fancy", {"a"}, {"b"}, kOther),
                                  Step("Neg", {"b"}, {"y"})}))
                .status()
                .code(),
            ErrorCode::kInvalidModel);
  std::vector<std::uint8_t> bytes;
  {
    ModelProto model = FromXToY({Step("Fancy", {"x"}, {"y"}, kOther)});
    bytes = protobuf::Serialize(model);
  }
  bytes.resize(bytes.size() / 2);
  EXPECT_FALSE(PartitionModel(bytes, {}).ok());
}

}  // namespace
}  // namespace athanor::onnx
