#include "frontends/tensorflow/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/file.h"
#include "frontends/load.h"
#include "frontends/tensorflow/model_for_test.h"
#include "frontends/tensorflow/op_import.h"
#include "ir/evaluate.h"

namespace athanor::tensorflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<Graph> ImportGraph(GraphDef graph) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(protobuf::Serialize(graph));
  return Import(*bytes, bytes, "/nonexistent");
}

std::vector<float> AnswerOf(const Graph& graph, Tensor input) {
  Result<std::vector<Datum>> results = Evaluate(graph, {std::move(input)});
  EXPECT_TRUE(results.ok()) << results.status().ToString();
  if (!results.ok()) return {};
  const auto data = (*results)[0].tensor().Data<float>();
  return {data.begin(), data.end()};
}

std::string ProblemOf(GraphDef graph) { return ImportGraph(std::move(graph)).status().ToString(); }

// A convolution whose weights are all 1/4 sums the window; stride 2 with SAME leaves windows at
// (0,0), (0,2), (2,0), (2,2), the last of which have one row and column fewer.
TEST(Tensorflow, ReadsAGraphWithAFunction) {
  const Result<Graph> graph = ImportGraph(SmallGraph());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  ASSERT_EQ(graph->inputs().size(), 1U);
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "image");
  EXPECT_EQ(graph->outputs()[0].name, "call");
  const std::vector<float> y =
      AnswerOf(*graph, Tensor::FromVector({1, 4, 4, 2}, std::vector<float>(32, 0.1F)));
  ASSERT_EQ(y.size(), 3U);
  // (9 + 6 + 6 + 4) positions of 2 channels, a quarter of 0.1 each, over 4 windows.
  const float mean = 25 * 2 * 0.025F / 4;
  EXPECT_NEAR(y[0], std::tanh(mean + 0.5F), 1e-5F);
  EXPECT_NEAR(y[1], std::tanh(mean - 1), 1e-5F);
  EXPECT_NEAR(y[2], std::tanh(mean + 2), 1e-5F);
}

TEST(Tensorflow, RaisesALoopOfTheFirstKind) {
  const Result<Graph> graph = ImportGraph(LoopGraph());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->outputs()[0].name, "result");
  EXPECT_THAT(AnswerOf(*graph, Tensor::FromVector<float>({2}, {1, -3})), ElementsAre(8, -24));
}

class SavedModelFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("athanor_saved_{}", getpid());
    std::filesystem::create_directories(folder_ / "variables");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Result<Graph> Load(const SavedFiles& files) {
    const auto write = [&](const char* name, const std::vector<std::uint8_t>& bytes) {
      EXPECT_TRUE(WriteFileAtomically((folder_ / name).string(), bytes).ok());
    };
    write("saved_model.pb", files.graph);
    write("variables/variables.index", files.index);
    write("variables/variables.data-00000-of-00001", files.data);
    return LoadModel(folder_.string());
  }
  std::filesystem::path folder_;
};

TEST_F(SavedModelFolder, IsReadWithTheVariablesItsRestoringAssigns) {
  const Result<Graph> graph = Load(SmallSavedFiles());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "input");
  EXPECT_EQ(graph->outputs()[0].name, "output");
  EXPECT_THAT(AnswerOf(*graph, Tensor::FromVector<float>({1, 2}, {1, 10})),
              ElementsAre(41, 52, 63));
}

TEST_F(SavedModelFolder, RefusesADamagedIndexAndAVariableThatIsNotThere) {
  SavedFiles files = SmallSavedFiles();
  files.index[3] ^= 1U;
  EXPECT_THAT(Load(files).status().ToString(), HasSubstr("checksum"));
  files = SmallSavedFiles();
  files.data.pop_back();
  EXPECT_THAT(Load(files).status().ToString(), HasSubstr("beyond the end of its shard"));
  files = SmallSavedFiles();
  files.index = SortedTable({{"", SerializedText(BundleHeader{1, 0})}});
  EXPECT_THAT(Load(files).status().ToString(), HasSubstr("no tensor \"layer/kernel\""));
}

TEST(Tensorflow, NamesEveryOperatorItDoesNotReadAtOnce) {
  GraphDef graph = SmallGraph();
  NodeMaker make(graph.node);
  make.Add("a", "FractionalMaxPool", {"image"});
  make.Add("b", "FractionalMaxPool", {"a"});
  make.Add("c", "Relus", {"b"});
  const std::string problem = ProblemOf(std::move(graph));
  EXPECT_THAT(problem, HasSubstr("\"FractionalMaxPool\" is not read (2 uses)"));
  EXPECT_THAT(problem, HasSubstr("\"Relus\" is not read (1 use) (did you mean \"Relu\"?)"));
}

TEST(Tensorflow, RefusesAFunctionThatChangesAVariable) {
  GraphDef graph = SmallGraph();
  NodeMaker(graph.library.function[0].node).Add("assign", "AssignVariableOp", {"x", "x"});
  EXPECT_THAT(ProblemOf(std::move(graph)), HasSubstr("keep a state between requests"));
}

TEST(Tensorflow, RefusesWhatNeverEnds) {
  GraphDef graph = SmallGraph();
  FunctionDef& squash = graph.library.function[0];
  NodeMaker make(squash.node);
  squash.node[0].op = "squash";
  EXPECT_THAT(ProblemOf(graph), HasSubstr("call each other more than"));
  graph = SmallGraph();
  NodeMaker(graph.node).Add("ring", "Relu", {"ring"});
  NodeMaker(graph.node).Add("out", "Relu", {"ring"});
  EXPECT_THAT(ProblemOf(std::move(graph)), HasSubstr("cycle"));
}

TEST(Tensorflow, SaysWhereAVariableOfAGraphFileIs) {
  GraphDef graph;
  NodeMaker make(graph.node);
  make.Add("w", "VariableV2");
  make.Add("y", "Relu", {"w"});
  EXPECT_THAT(ProblemOf(std::move(graph)), HasSubstr("is not in a graph file"));
}

// The check value of CRC-32C in RFC 3720, B.4, and 32 bytes of zeros there.
TEST(Tensorflow, ChecksumsAreThoseOfTheStandard) {
  const std::string digits = "123456789";
  EXPECT_EQ(Crc32c({reinterpret_cast<const std::uint8_t*>(digits.data()), digits.size()}),
            0xE3069283U);
  EXPECT_EQ(Crc32c(std::vector<std::uint8_t>(32, 0)), 0x8A9136AAU);
}

// By hand, from snappy's format description: 13 bytes; the literal "abc" (tag (3-1)<<2), a copy of
// 10 bytes from 3 back (tag (10-1)<<2 | 2, offset in 2 bytes).
TEST(Tensorflow, UnpacksSnappy) {
  const std::vector<std::uint8_t> packed = {13, 0x08, 'a', 'b', 'c', 0x26, 3, 0};
  const Result<std::vector<std::uint8_t>> bytes = Unsnap(packed, 100);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), "abcabcabcabca");
  EXPECT_FALSE(Unsnap(packed, 12).ok());
  EXPECT_FALSE(Unsnap(std::vector<std::uint8_t>{13, 0x26, 3, 0}, 100).ok());  // a copy of nothing
}

TEST(Tensorflow, TableHasEachOperatorOnce) {
  for (std::size_t i = 1; i < Table().size(); ++i) EXPECT_LT(Table()[i - 1].op, Table()[i].op);
  EXPECT_GE(Table().size(), 150U);
}

TEST(Tensorflow, TheDocumentListsEveryOperator) {
  const Result<std::string> text = ReadTextFile("docs/formats/tensorflow.md");
  ASSERT_TRUE(text.ok());
  const std::string list = text->substr(text->find("## Operators"));
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'),
            2 * static_cast<std::ptrdiff_t>(Table().size()));
  for (const Row& row : Table()) EXPECT_THAT(list, HasSubstr(fmt::format("`{}`", row.op)));
}

}  // namespace
}  // namespace athanor::tensorflow
