#include <algorithm>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/paddle/files_for_test.h"
#include "frontends/paddle/import.h"
#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

using Floats = std::vector<float>;

Result<Graph> Read(const std::string& program, const std::string& parameters) {
  const auto both = std::make_shared<std::pair<std::string, std::string>>(program, parameters);
  const auto bytes = [](const std::string& text) {
    return Bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  return Import(bytes(both->first), bytes(both->second), both);
}

// x w + b of x = (1, 2): (1 - 2 + 1, 2 - 1, 3 + 2, 4 + 4 + 2)
TEST(PaddleImport, BothFormsOfAProgramGiveTheSame) {
  for (const std::string& program : {SmallDesc().Bytes(), SmallPir()}) {
    const auto graph = Read(program, SmallParameters());
    EXPECT_EQ(Answer(graph, {1, 2}, {1, 2}), (Floats{0, 1, 5, 10}));
    EXPECT_EQ(graph->inputs().size(), 1U);
    EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
    EXPECT_EQ(graph->outputs()[0].name, "y");
  }
}

TEST(PaddleImport, RecognisesBothForms) {
  for (const std::string& text : {SmallDesc().Bytes(), SmallPir()})
    EXPECT_TRUE(IsPaddle({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}));
  const std::string other = R"({"learner": {}})";
  EXPECT_FALSE(IsPaddle({reinterpret_cast<const std::uint8_t*>(other.data()), other.size()}));
}

TEST(PaddleImport, ABranchIsChosenWhileRunning) {
  const auto graph = Read(BranchDesc().Bytes(), ParameterBytes({{{1}, {0}}}));
  EXPECT_EQ(Answer(graph, {2}, {3, -1}), (Floats{6, -2}));
  EXPECT_EQ(Answer(graph, {2}, {-3, 1}), (Floats{0, 1}));
}

struct Mistake {
  const char* expected;
  void (*make)(DescMaker& m);
};

TEST(PaddleImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {"operator \"reluu\" is not read (1 use) (did you mean \"relu\"?)",
       [](DescMaker& m) { m.op(3).type = "reluu"; }},
      {"variable \"q\" is not declared", [](DescMaker& m) { m.op(3).inputs[0].arguments = {"q"}; }},
      {"variable \"y\" is used before an operator makes it",
       [](DescMaker& m) { m.op(3).inputs[0].arguments = {"y"}; }},
      {"operator \"relu\" of \"v\": input X is missing",
       [](DescMaker& m) { m.op(3).inputs.clear(); }},
      {"parameter \"w\" has the shape [2, 5]; the file of parameters holds [2, 4] there",
       [](DescMaker& m) {
         m.program.blocks[0].vars[1].type.lod_tensor.tensor.dims = {2, 5};
       }},
      {"the file holds 2 tensors; the program has 3", [](DescMaker& m) { m.Var("z", {1}, true); }},
      {"bytes follow the 1 tensors of the program",
       [](DescMaker& m) { m.program.blocks[0].vars[1].persistable = false; }},
      {"block 3 does not exist", [](DescMaker& m) { DescMaker::BlockAttribute(m.op(3), 3); }},
  };
  for (const Mistake& mistake : mistakes) {
    DescMaker m = SmallDesc();
    mistake.make(m);
    const auto graph = Read(m.Bytes(), SmallParameters());
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(PaddleImport, EveryNameStandsInOneRow) {
  for (const bool of_pir : {false, true}) {
    const std::vector<std::string> names = Names(of_pir);
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  }
}

TEST(Paddle, TheDocumentListsEveryName) {
  std::stringstream file;
  file << std::ifstream("docs/formats/paddle.md").rdbuf();
  const std::string text = file.str();
  for (const bool of_pir : {false, true}) {
    const std::size_t begin =
        text.find(of_pir ? "## Operators of PIR" : "## Operators of .pdmodel");
    ASSERT_NE(begin, std::string::npos);
    const std::string list = text.substr(begin, text.find("\n## ", begin + 1) - begin);
    const std::vector<std::string> names = Names(of_pir);
    EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * std::ssize(names));
    for (const std::string& name : names)
      EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace athanor::paddle
