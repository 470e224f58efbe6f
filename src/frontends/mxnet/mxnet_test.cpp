#include <cmath>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/mxnet/files_for_test.h"
#include "frontends/mxnet/import.h"
#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Result<Graph> Read(const std::string& symbol, const std::string& parameters) {
  const auto both = std::make_shared<std::pair<std::string, std::string>>(symbol, parameters);
  return Import(BytesOf(both->first), BytesOf(both->second), both);
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// x = (1, 2, 3): x w' + b = (7.5, 0), so the softmax is 1 / (1 + e^-7.5) and the rest.
TEST(MxnetImport, ASmallNetworkGivesWhatItsFormulaGives) {
  const auto graph = Read(SmallSymbol(), SmallParameters());
  const std::vector<float> y = Answer(graph, {1, 3}, {1, 2, 3});
  ASSERT_EQ(y.size(), 2U);
  EXPECT_NEAR(y[0], 1 / (1 + std::exp(-7.5)), 1e-6);  // rounding of floats
  EXPECT_NEAR(y[1], 1 / (1 + std::exp(7.5)), 1e-6);
}

TEST(MxnetImport, LabelsAreNoInputAndOutputsHaveTheirNames) {
  const auto graph = Read(SmallSymbol(), SmallParameters());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  ASSERT_EQ(graph->inputs().size(), 1U);
  const Value& data = graph->value(graph->inputs()[0]);
  EXPECT_EQ(data.name, "data");
  EXPECT_EQ(data.type.dim(1).ToString(), "3");
  ASSERT_EQ(graph->outputs().size(), 1U);
  EXPECT_EQ(graph->outputs()[0].name, "softmax_output");
}

// Before MXNet 0.9 parameters of operators stood under "param", inputs had two numbers, and the
// moving statistics were not listed.
TEST(MxnetImport, ReadsOldFiles) {
  const std::string symbol = R"json({"nodes": [
{"op": "null", "param": {}, "name": "data", "inputs": [], "backward_source_id": -1, "attr": {"__shape__": "(1, 2)"}},
{"op": "null", "param": {}, "name": "bn_gamma", "inputs": [], "backward_source_id": -1},
{"op": "null", "param": {}, "name": "bn_beta", "inputs": [], "backward_source_id": -1},
{"op": "BatchNorm", "param": {"eps": "0", "fix_gamma": "False"}, "name": "bn", "inputs": [[0, 0], [1, 0], [2, 0]]}
], "arg_nodes": [0, 1, 2], "heads": [[3, 0]]})json";
  const std::string parameters = ParameterFile({{"arg:bn_gamma", {2}, {2, 3}},
                                                {"arg:bn_beta", {2}, {1, -1}},
                                                {"aux:bn_moving_mean", {2}, {1, 2}},
                                                {"aux:bn_moving_var", {2}, {4, 1}}});
  // (3 - 1) / 2 * 2 + 1, (4 - 2) / 1 * 3 - 1
  EXPECT_EQ(Answer(Read(symbol, parameters), {1, 2}, {3, 4}), (std::vector<float>{3, 5}));
  // gamma does not count where it is fixed, which it is unless the file says otherwise.
  const std::string fixed = Replaced(symbol, R"(, "fix_gamma": "False")", "");
  EXPECT_EQ(Answer(Read(fixed, parameters), {1, 2}, {3, 4}), (std::vector<float>{2, 1}));
}

struct Mistake {
  const char* expected;
  const char* from;
  const char* to;
};

TEST(MxnetImport, SaysWhatIsWrong) {
  const Mistake mistakes[] = {
      {"operator \"Activatoin\" is not read (1 use) (did you mean \"Activation\"?)",
       "\"Activation\"", "\"Activatoin\""},
      {"node \"act\" (Activation): act_type swash is not read", "\"relu\"", "\"swash\""},
      {"output 7 of node 9, which does not stand before it", "[[3, 0, 0]]", "[[9, 7, 0]]"},
      {"node \"fc\" (FullyConnected): parameter \"lost\" is not in the .params file",
       "\"name\": \"fc_bias\"", "\"name\": \"lost\""},
      {"variable \"fc_weight\": its shape is not the [2, 3] that the .params file holds", "(2, 0)",
       "(2, 4)"},
      {"node 0: \"name\" is missing or no text", "\"name\": \"data\"", "\"name\": 7"},
  };
  for (const Mistake& mistake : mistakes) {
    const auto graph = Read(Replaced(SmallSymbol(), mistake.from, mistake.to), SmallParameters());
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(MxnetImport, AnInputWhoseAxesNobodyKnowsIsRefusedWithAFix) {
  const std::string symbol = R"json({"nodes": [
{"op": "null", "name": "x", "inputs": []},
{"op": "relu", "name": "r", "inputs": [[0, 0, 0]]}], "arg_nodes": [0], "heads": [[1, 0, 0]]})json";
  const auto graph = Read(symbol, ParameterFile({}));
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().fix().find("mx.sym.Variable(\"x\", shape="), std::string::npos);
}

TEST(MxnetImport, RecognisesSymbolsAndParameters) {
  EXPECT_TRUE(IsMxnet(BytesOf(SmallSymbol())));
  EXPECT_TRUE(IsMxnet(BytesOf(SmallParameters())));
  EXPECT_FALSE(IsMxnet(BytesOf(R"({"learner": {"nodes": []}})")));
}

TEST(MxnetSymbol, ListsOfNumbersInEachSpelling) {
  for (const char* text : {"(3, 4)", "[3,4]", " ( 3 ,4 ) ", "(3L, 4L)", "3, 4", "(3, 4,)"}) {
    const auto list = ParseInts(text, 0);
    ASSERT_TRUE(list.ok()) << text;
    EXPECT_EQ(*list, (IntList{3, 4})) << text;
  }
  EXPECT_EQ(*ParseInts("()", 0), IntList{});
  EXPECT_EQ(*ParseInts("(None, 2)", -9), (IntList{-9, 2}));
  for (const char* text : {"(3", "(3, x)", "3.5", "(99999999999999999999)", "(,)"})
    EXPECT_FALSE(ParseInts(text, 0).ok()) << text;
}

TEST(Mxnet, TheDocumentListsEveryName) {
  std::stringstream file;
  file << std::ifstream("docs/formats/mxnet.md").rdbuf();
  const std::string text = file.str();
  const std::size_t begin = text.find("## Operators");
  ASSERT_NE(begin, std::string::npos);
  const std::string list = text.substr(begin);
  const std::vector<std::string> names = Names();
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * std::ssize(names));
  for (const std::string& name : names)
    EXPECT_NE(list.find("`" + name + "`"), std::string::npos) << name;
}

}  // namespace
}  // namespace athanor::mxnet
