#include "frontends/pytorch/pytorch.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "frontends/pytorch/files_for_test.h"
#include "frontends/pytorch/op_import.h"
#include "ir/text.h"

namespace athanor::pytorch {
namespace {

// What is read keeps the text.
Result<Graph> Read(const std::string& file) {
  const auto kept = std::make_shared<const std::string>(file);
  return Import({reinterpret_cast<const std::uint8_t*>(kept->data()), kept->size()}, kept);
}
Result<Graph> ReadBody(const std::string& body) { return Read(ZipOf(ScriptMembers(body))); }

std::vector<std::string> Operators(const Graph& graph) {
  std::vector<std::string> names;
  const Result<std::vector<NodeId>> order = graph.Order();
  for (const NodeId id : *order) names.push_back(graph.node(id).op->name);
  return names;
}
std::string Problem(const Result<Graph>& graph) { return graph.status().ToString(); }

TEST(Pytorch, ReadsAnExportedProgramWithItsSymbols) {
  const Result<Graph> graph = Read(ZipOf(ProgramMembers()));
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  EXPECT_EQ(Operators(*graph), (std::vector<std::string>{"MatMul", "Relu"}));
  EXPECT_EQ(graph->value(graph->inputs()[0]).type.ToString(), "f32[s0, 2]");
  EXPECT_EQ(graph->value(graph->outputs()[0].value).type.ToString(), "f32[s0, 2]");
}

TEST(Pytorch, LeavesStoredWeightsWhereTheFileIs) {
  const auto file = std::make_shared<const std::string>(ZipOf(ProgramMembers()));
  const auto* begin = reinterpret_cast<const std::uint8_t*>(file->data());
  const Result<Graph> graph = Import({begin, file->size()}, file);
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  int weights = 0;
  for (std::size_t i = 0; i < graph->value_capacity(); ++i) {
    const Tensor* constant = graph->Constant(static_cast<ValueId>(i));
    if (constant == nullptr) continue;
    ++weights;
    // A std::string's memory is aligned enough for floats at multiples of 64 in the file.
    const auto* data = static_cast<const std::uint8_t*>(constant->raw());
    EXPECT_TRUE(data >= begin && data < begin + file->size());
    EXPECT_EQ(constant->Data<float>()[2], -3);
  }
  EXPECT_EQ(weights, 1);
}

TEST(Pytorch, NamesTheLineOfAnUnknownOperator) {
  const Result<Graph> graph =
      Read(ZipOf(Changed(ProgramMembers(), 1, "aten.matmul.", "aten.mutmal.")));
  EXPECT_NE(Problem(graph).find(
                "torch.ops.aten.mutmal.default is not read (used 1 time, first in net.py:12)"),
            std::string::npos)
      << Problem(graph);
}

TEST(Pytorch, RunsAScript) {
  const Result<Graph> graph = Read(ZipOf(ScriptMembers()));
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  EXPECT_EQ(Operators(*graph), (std::vector<std::string>{"MatMul", "Relu"}));
  EXPECT_EQ(graph->value(graph->outputs()[0].value).type.ToString(), "f32[3, 2]");
}

TEST(Pytorch, FollowsTheControlFlowOfAScript) {
  const Result<Graph> graph = ReadBody(
      "    y = x\n"
      "    if self.training:\n"
      "      y = torch.sin(y)\n"
      "    else:\n"
      "      pass\n"
      "    for i in range(torch.size(x, 0)):\n"
      "      if torch.eq(i, 1):\n"
      "        y = torch.cos(y)\n"
      "      else:\n"
      "        y = torch.add(y, 1)\n"
      "    return (y, [y, x])\n");
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  EXPECT_EQ(Operators(*graph), (std::vector<std::string>{"Add", "Cos", "Add"}));
  EXPECT_EQ(graph->outputs().size(), 3U);
}

TEST(Pytorch, RefusesToDecideByData) {
  const Result<Graph> graph = ReadBody(
      "    if bool(torch.gt(torch.sum(x), 0)):\n"
      "      y = x\n"
      "    else:\n"
      "      y = torch.neg(x)\n"
      "    return y\n");
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(Problem(graph).find("code/__torch__.py line 7"), std::string::npos) << Problem(graph);
}

TEST(Pytorch, WritesThroughASliceIntoItsTensor) {
  const Result<Graph> graph = ReadBody(
      "    y = torch.mul(x, 2)\n"
      "    z = torch.select(y, 0, 1)\n"
      "    _0 = torch.neg_(z)\n"
      "    return y\n");
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  // y is put together again from the rows around the changed one.
  EXPECT_EQ(graph->node(graph->value(graph->outputs()[0].value).producer).op->name, "Concat");
}

TEST(Pytorch, RefusesAViewWhoseMemoryHasChanged) {
  const Result<Graph> graph = ReadBody(
      "    y = torch.mul(x, 2)\n"
      "    z = torch.t(y)\n"
      "    _0 = torch.neg_(y)\n"
      "    return z\n");
  EXPECT_NE(Problem(graph).find("changed in place"), std::string::npos) << Problem(graph);
}

TEST(Pytorch, NeverLoadsWhatAPickleNames) {
  Members members = ScriptMembers();
  members[0].second =
      "\x80\x02"
      "cos\nsystem\n(" +
      PickledText("true") + "tR.";
  const Result<Graph> graph = Read(ZipOf(members));
  EXPECT_EQ(graph.status().code(), ErrorCode::kUnsafeFile) << Problem(graph);
  EXPECT_NE(Problem(graph).find("os.system"), std::string::npos) << Problem(graph);
}

TEST(Pytorch, SaysHowToSaveTheShapesOfAScript) {
  Members members = ScriptMembers();
  members.erase(members.begin() + 4);
  EXPECT_NE(Problem(Read(ZipOf(members))).find("athanor_inputs.txt"), std::string::npos);
}

TEST(Pytorch, ReadsWeightsAndRefusesToRunThem) {
  for (const std::string& file : {ZipOf(WeightMembers()), SmallSafetensors()}) {
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
    EXPECT_TRUE(IsWeights(bytes));
    const Result<NamedTensors> tensors = ReadWeights(bytes, nullptr);
    ASSERT_TRUE(tensors.ok()) << tensors.status().ToString();
    ASSERT_EQ(tensors->size(), 1U);
    EXPECT_EQ((*tensors)[0].first, "w");
    EXPECT_EQ((*tensors)[0].second.dims(), (Dims{2, 2}));
    EXPECT_NE(Problem(Read(file)).find("holds weights (1 tensors) but no network"),
              std::string::npos);
  }
}

TEST(PytorchTable, HasEachOverloadOnce) {
  const std::vector<TableRow>& rows = Table();
  EXPECT_GE(rows.size(), 250U);
  for (std::size_t i = 1; i < rows.size(); ++i)
    EXPECT_STRNE(rows[i - 1].row.schema, rows[i].row.schema);
}

TEST(PytorchTable, IsWhatTheDocumentLists) {
  std::stringstream file;
  file << std::ifstream("docs/formats/pytorch.md").rdbuf();
  const std::string text = file.str();
  const std::string list = text.substr(text.find("in place:"));
  std::set<std::string> names;
  for (const TableRow& row : Table()) names.emplace(row.schema.name);
  std::size_t listed = 0;
  for (const char c : list) listed += c == '`' ? 1 : 0;
  EXPECT_EQ(listed, 2 * names.size());
  for (const std::string& name : names)
    EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << name;
}

TEST(PytorchSchema, ReadsTypesListsAndDefaults) {
  const Schema schema =
      ParseSchema("f(Tensor? x, int[2] size=[1,3], *, Tensor?[] more, float p=1e-05)");
  ASSERT_EQ(schema.parameters.size(), 4U);
  EXPECT_TRUE(schema.parameters[0].optional);
  EXPECT_TRUE(schema.parameters[1].list && schema.parameters[1].repeats);
  EXPECT_EQ(schema.parameters[1].default_value, "[1,3]");
  EXPECT_TRUE(schema.parameters[2].by_name && schema.parameters[2].item_optional);
  Heap heap;
  const auto values = Match(schema, {{Value(), Value::Int(4)}, {{"more", heap.List()}}}, heap);
  ASSERT_TRUE(values.has_value());
  EXPECT_EQ((*values)[3].real, 1e-05);
  EXPECT_FALSE(Match(schema, {{Value::Int(1)}, {}}, heap).has_value());
}

}  // namespace
}  // namespace athanor::pytorch
