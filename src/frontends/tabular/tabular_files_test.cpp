// The readers of tabular models on files small enough to be computed by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "frontends/catboost/catboost.h"
#include "frontends/catboost/files_for_test.h"
#include "frontends/lightgbm/lightgbm.h"
#include "frontends/pmml/fields.h"
#include "frontends/pmml/pmml.h"
#include "frontends/tabular/document.h"
#include "frontends/tabular/small_files_for_test.h"
#include "frontends/xgboost/xgboost.h"
#include "ir/evaluate.h"

namespace athanor {
namespace {

using tabular::LightgbmFile;
using tabular::PmmlFile;
using tabular::XgboostFile;

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// One row: numbers as f32 or f64, strings as they are, in the order of the graph's inputs.
struct Cell {
  double number = 0;
  std::string text = {};
};

Datum OneCell(const Type& type, const Cell& cell) {
  if (type.dtype == DType::kString) return Tensor::FromVector<std::string>({1, 1}, {cell.text});
  if (type.dtype == DType::kF64) return Tensor::FromVector<double>({1, 1}, {cell.number});
  return Tensor::FromVector<float>({1, 1}, {static_cast<float>(cell.number)});
}

std::vector<Datum> Answers(const Graph& graph, const std::vector<Cell>& row) {
  std::vector<Datum> inputs;
  for (std::size_t i = 0; i < row.size(); ++i)
    inputs.push_back(OneCell(graph.value(graph.inputs()[i]).type, row[i]));
  Result<std::vector<Datum>> outputs = Evaluate(graph, std::move(inputs));
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  return outputs.ok() ? *std::move(outputs) : std::vector<Datum>(8);
}

double NumberOf(const Datum& datum, std::size_t at = 0) {
  const Result<std::vector<double>> values = ToDoubles(datum.tensor());
  EXPECT_TRUE(values.ok());
  return (*values)[at];
}

// ---- XGBoost

constexpr std::string_view kRight = "[2,-1,4,-1,-1]";

TEST(Xgboost, FollowsNumbersCategoriesAndMissingValues) {
  const std::string file = XgboostFile("reg:squarederror", kRight);
  ASSERT_TRUE(xgboost::IsXgboost(Bytes(file)));
  const Result<Graph> graph = xgboost::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(graph->value(graph->inputs()[1]).type.ToString(), "string[N, 1]");
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{9.5}, {0, "blue"}})[0]), 0.5 + 1.5);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "blue"}})[0]), 0.5 - 2);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "green"}})[0]), 0.5 + 4);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{NAN}, {0, "red"}})[0]), 0.5 + 4);
  // A missing category takes the default, which is left here; so does one that is not known.
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, ""}})[0]), 0.5 - 2);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "mauve"}})[0]), 0.5 - 2);
}

TEST(Xgboost, GivesLabelAndProbabilitiesOfTwoClasses) {
  const Result<Graph> graph = xgboost::Import(Bytes(XgboostFile("binary:logistic", kRight)));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const std::vector<Datum> outputs = Answers(*graph, {{1}, {0, "red"}});  // logit(0.5) is 0
  EXPECT_EQ(NumberOf(outputs[0]), 1);
  EXPECT_NEAR(NumberOf(outputs[1], 1), 1 / (1 + std::exp(-1.5)), 1e-6);
  EXPECT_NEAR(NumberOf(outputs[1], 0), 1 - 1 / (1 + std::exp(-1.5)), 1e-6);
}

TEST(Xgboost, RefusesObjectivesChildrenAndCirclesByName) {
  Status status = xgboost::Import(Bytes(XgboostFile("reg:unheard", kRight))).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.message().find("reg:unheard"), std::string::npos);
  status = xgboost::Import(Bytes(XgboostFile("reg:squarederror", "[9,-1,4,-1,-1]"))).status();
  EXPECT_EQ(status.code(), ErrorCode::kInvalidModel);
  EXPECT_EQ(status.where(), "tree 0");
  status = xgboost::Import(Bytes(XgboostFile("reg:squarederror", "[2,-1,0,-1,-1]"))).status();
  EXPECT_NE(status.message().find("circle"), std::string::npos) << status.ToString();
}

// The example's file with other categories: `values` as signed bytes, `version` as a list.
std::string WithCategories(std::string_view offsets, std::string_view bytes,
                           std::string_view version) {
  std::string file = XgboostFile("reg:squarederror", kRight), values;
  for (const char c : bytes)
    values += (values.empty() ? "" : ",") + std::to_string(static_cast<signed char>(c));
  const std::size_t begin = file.find("[0,3,7,12]");
  file.replace(begin, file.find("}]", begin) - begin,
               "[" + std::string(offsets) + "],\"values\":[" + values + "]");
  if (const std::size_t at = file.find("\"version\":[3,0,0]"); version.empty())
    file.erase(at - 1, 18);
  else
    file.replace(at + 10, 7, version);
  return file;
}

// train(..., num_boost_round=0): the library answers with the base score.
TEST(Xgboost, AnswersWithTheBaseScoreWithoutTrees) {
  std::string file = XgboostFile("reg:squarederror", "[2,-1,4,-1,-1]");
  file.replace(file.find("\"tree_info\":[0]"), 15, "\"tree_info\":[]");
  const std::size_t trees = file.find("\"trees\":[") + 9, end = file.find("},\"name\":\"gbtree\"");
  file.replace(trees, end - trees, "]");
  file.replace(file.find("\"num_trees\":\"1\""), 15, "\"num_trees\":\"0\"");
  const Result<Graph> graph = xgboost::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(Answers(*graph, {{7}, {0, "red"}})[0].tensor().Data<float>()[0], 0.5F);
}

TEST(Xgboost, RefusesNamesThatTheLibraryWroteBroken) {
  const struct {
    std::string_view offsets, bytes, version;
  } broken[] = {
      // San José, Zürich, red: in the middle of a letter
      {"0,8,14,17", "San Jos\xc3\xa9Z\xc3\xbcrichr", "[3,2,0]"},
      // red, blue, Zürich: the last name lacks its end, and is still text
      {"0,3,7,13", "redblueZ\xc3\xbcric", "[3,1,3]"},
      // да, нете, бб: every name is another, and all are text
      {"0,2,6,8", "\xd0\xb4\xd0\xb0\xd0\xbd\xd0\xb5", "[3,3,0]"},
      {"0,3,7,13", "redblueZ\xc3\xbcric", ""},
      {"0,8,14,17", "San Jos\xc3\xa9Z\xc3\xbcrichr", "[3,4,0]"},
  };
  for (const auto& [offsets, bytes, version] : broken) {
    const Status status = xgboost::Import(Bytes(WithCategories(offsets, bytes, version))).status();
    EXPECT_EQ(status.code(), ErrorCode::kInvalidModel) << bytes << version;
    EXPECT_NE(status.message().find("\"colour\""), std::string::npos) << status.ToString();
    EXPECT_NE(status.fix().find("ASCII"), std::string::npos) << status.ToString();
  }
  EXPECT_TRUE(xgboost::Import(Bytes(WithCategories("0,3,7,12", "redbluegreen", "[3,2,0]"))).ok());
}

TEST(Xgboost, ReadsNamesBeyondAsciiOfVersionsThatWriteThemRight) {
  const Result<Graph> graph =
      xgboost::Import(Bytes(WithCategories("0,3,7,14", "redblueZ\xc3\xbcrich", "[3,4,0]")));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "Z\xc3\xbcrich"}})[0]), 0.5 + 4);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "blue"}})[0]), 0.5 - 2);
}

TEST(Xgboost, CountsAllTreesWhenTheBestIterationIsBeyondThem) {
  std::string file = XgboostFile("reg:squarederror", kRight);
  file.replace(file.find("{},"), 2, R"({"best_iteration":"9223372036854775807"})");
  const Result<Graph> graph = xgboost::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{9.5}, {0, "blue"}})[0]), 0.5 + 1.5);
}

TEST(Xgboost, RefusesDeepNestingAndArraysLongerThanTheirFile) {
  std::string deep = "{\"learner\":";
  for (int i = 0; i < 500; ++i) deep += "[";
  EXPECT_FALSE(xgboost::Import(Bytes(deep + std::string(500, ']') + "}")).ok());
  std::string ubj("{U\x07learner[$d#l\x7f\xff\xff\xff", 18);
  EXPECT_EQ(xgboost::Import(Bytes(ubj)).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(tabular::ParseUbjson(Bytes("[#i\x02i\x01i")).status().code(), ErrorCode::kCorruptFile);
  const Result<tabular::Value> good =
      tabular::ParseUbjson(Bytes("{i\x01"
                                 "a[$U#i\x02\x05\x06}"));
  ASSERT_TRUE(good.ok()) << good.status().ToString();
  EXPECT_EQ(good->Find("a")->numbers, (std::vector<double>{5, 6}));
}

double MatrixAnswer(const std::string& file, const std::vector<float>& row) {
  const Result<Graph> graph = xgboost::Import(Bytes(file));
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return std::nan("");
  const std::vector<Datum> inputs = {
      Tensor::FromVector<float>({1, static_cast<std::int64_t>(row.size())}, row)};
  const Result<std::vector<Datum>> outputs = Evaluate(*graph, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  return outputs.ok() ? NumberOf((*outputs)[0]) : std::nan("");
}

TEST(Xgboost, ReadsTheOldBinaryForm) {
  using tabular::XgboostLegacyFile;
  const std::string tree = XgboostLegacyFile();
  ASSERT_TRUE(xgboost::IsXgboost(Bytes(tree)));
  EXPECT_FLOAT_EQ(MatrixAnswer(tree, {9, 0}), 0.5 + 1.5);
  EXPECT_FLOAT_EQ(MatrixAnswer(tree, {10, 0}), 0.5 - 2);
  EXPECT_FLOAT_EQ(MatrixAnswer(tree, {NAN, 0}), 0.5 - 2);
  ASSERT_TRUE(xgboost::IsXgboost(Bytes(tree.substr(4))));  // older still: without a mark
  EXPECT_FLOAT_EQ(MatrixAnswer(tree.substr(4), {9, 0}), 0.5 + 1.5);
  EXPECT_FLOAT_EQ(MatrixAnswer(XgboostLegacyFile("reg:linear", "dart"), {9, 0}), 0.5 + 0.75);
  const std::string linear = XgboostLegacyFile("reg:squarederror", "gblinear");
  EXPECT_FLOAT_EQ(MatrixAnswer(linear, {3, 5}), 0.5 + 0.25 + 2 * 3 - 5);
  EXPECT_FLOAT_EQ(MatrixAnswer(linear, {NAN, 5}), 0.5 + 0.25 - 5);
  EXPECT_EQ(xgboost::Import(Bytes(tree.substr(0, tree.size() / 2))).status().code(),
            ErrorCode::kCorruptFile);
}

TEST(Xgboost, AddsEachValueOfALeafToItsOutput) {
  std::string file = XgboostFile("reg:squarederror", "[2,0,4,1,2]");
  const auto put = [&](std::string_view from, std::string_view to) {
    file.replace(file.find(from), from.size(), to);
  };
  put(R"("num_target":"1")", R"("num_target":"2")");
  put(R"("size_leaf_vector":"1"})", R"("size_leaf_vector":"2"},"leaf_weights":[1,10,2,20,3,30])");
  const Result<Graph> graph = xgboost::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Datum outputs = Answers(*graph, {{9}, {0, "blue"}})[0];
  EXPECT_FLOAT_EQ(NumberOf(outputs, 0), 0.5 + 1);
  EXPECT_FLOAT_EQ(NumberOf(outputs, 1), 0.5 + 10);
  EXPECT_FLOAT_EQ(NumberOf(Answers(*graph, {{10}, {0, "red"}})[0], 1), 0.5 + 30);
}

TEST(Xgboost, SaysWhereTheJsonBreaks) {
  const std::string file = XgboostFile("reg:squarederror", kRight);
  Status status = xgboost::Import(Bytes(file.substr(0, file.size() / 2))).status();
  EXPECT_EQ(status.code(), ErrorCode::kCorruptFile);
  EXPECT_NE(status.message().find("ends early"), std::string::npos) << status.ToString();
  status = xgboost::Import(Bytes("{\"learner\":\n{\"a\":1,,}}")).status();
  EXPECT_EQ(status.message(), "the JSON is broken: at byte 19, line 2");
}

// ---- LightGBM

TEST(Lightgbm, FollowsNumbersCategoriesAndMissingValues) {
  const std::string file = LightgbmFile();
  ASSERT_TRUE(lightgbm::IsLightgbm(Bytes(file)));
  const Result<Graph> graph = lightgbm::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto chance = [&](double size, const char* kind) {
    return NumberOf(Answers(*graph, {{size}, {0, kind}})[1], 1);
  };
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-2 * x)); };
  EXPECT_NEAR(chance(2.5, "b"), logistic(0.5), 1e-12);  // <= goes left
  EXPECT_NEAR(chance(NAN, "b"), logistic(0.5), 1e-12);  // missing goes left
  EXPECT_NEAR(chance(3, "a"), logistic(-1), 1e-12);     // bits 0 and 2 of the set
  EXPECT_NEAR(chance(3, "c"), logistic(-1), 1e-12);
  EXPECT_NEAR(chance(3, "b"), logistic(2), 1e-12);
  EXPECT_NEAR(chance(3, ""), logistic(2), 1e-12);  // a missing category is in no set
}

// NaN was cut to the code 0 once.
TEST(Lightgbm, FindsAMissingCodeInNoSet) {
  std::string file = LightgbmFile();
  file.resize(file.find("pandas_categorical"));
  const Result<Graph> graph = lightgbm::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto chance = [&](double kind) { return NumberOf(Answers(*graph, {{3}, {kind}})[1], 1); };
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-2 * x)); };
  EXPECT_NEAR(chance(0), logistic(-1), 1e-12);
  EXPECT_NEAR(chance(2.7), logistic(-1), 1e-12);
  EXPECT_NEAR(chance(1), logistic(2), 1e-12);
  EXPECT_NEAR(chance(NAN), logistic(2), 1e-12);
}

TEST(Lightgbm, AddsLinearLeavesAndFallsBackToTheirValue) {
  std::string file = LightgbmFile();
  file.replace(file.find("is_linear=0"), 11,
               "is_linear=1\nleaf_const=0.25 1 -3\nnum_features=1 0 0\nleaf_features=0   \n"
               "leaf_coeff=0.5   ");
  const Result<Graph> graph = lightgbm::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto chance = [&](double size, const char* kind) {
    return NumberOf(Answers(*graph, {{size}, {0, kind}})[1], 1);
  };
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-2 * x)); };
  EXPECT_NEAR(chance(2, "b"), logistic(0.25 + 0.5 * 2), 1e-12);
  EXPECT_NEAR(chance(NAN, "b"), logistic(0.5), 1e-12);  // the leaf's value
  EXPECT_NEAR(chance(3, "a"), logistic(1), 1e-12);
  EXPECT_NEAR(chance(3, "b"), logistic(-3), 1e-12);
}

// LightGBM sets numbers of this size to zero before a tree sees them, which is above this
// threshold.
TEST(Lightgbm, TakesTheLeastNumbersForZero) {
  std::string file = LightgbmFile();
  file.replace(file.find("threshold=2.5"), 13, "threshold=-1.0000000180025095e-35");
  const Result<Graph> graph = lightgbm::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto chance = [&](double size) {
    return NumberOf(Answers(*graph, {{size}, {0, "b"}})[1], 1);
  };
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-2 * x)); };
  EXPECT_NEAR(chance(-1.0000000180025095e-35), logistic(2), 1e-12);
  EXPECT_NEAR(chance(-1.0000000180025097e-35), logistic(0.5), 1e-12);
}

TEST(Lightgbm, TakesZerosForMissingWhereTheFileSaysSo) {
  std::string file = LightgbmFile();
  file.replace(file.find("decision_type=10"), 16, "decision_type=4");  // zero is missing, right
  const Result<Graph> graph = lightgbm::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto chance = [&](double size) {
    return NumberOf(Answers(*graph, {{size}, {0, "b"}})[1], 1);
  };
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-2 * x)); };
  EXPECT_NEAR(chance(1), logistic(0.5), 1e-12);
  EXPECT_NEAR(chance(-1), logistic(0.5), 1e-12);
  EXPECT_NEAR(chance(0), logistic(2), 1e-12);
  EXPECT_NEAR(chance(1e-36), logistic(2), 1e-12);
  EXPECT_NEAR(chance(NAN), logistic(2), 1e-12);
}

// The library refuses a file that lacks a tree; numbers may be cut in the middle, too.
TEST(Lightgbm, RefusesFilesThatWereCutOff) {
  const std::string whole = LightgbmFile();
  const std::size_t trees = whole.find("Tree="), end = whole.find("end of trees");
  for (std::size_t size = trees; size < end; ++size) {
    const std::string part = whole.substr(0, size);
    EXPECT_FALSE(lightgbm::Import(Bytes(part)).ok()) << size;
  }
  std::string two = whole;
  two.replace(two.find("tree_sizes=1"), 12, "tree_sizes=1 1");
  const Result<Graph> graph = lightgbm::Import(Bytes(two));
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), ErrorCode::kCorruptFile);
  EXPECT_NE(graph.status().message().find("2 trees are announced"), std::string::npos);
}

TEST(Lightgbm, RefusesListsThatDifferAndNumbersThatAreNone) {
  std::string linear = LightgbmFile();
  linear.replace(linear.find("is_linear=0"), 11, "is_linear=1");
  EXPECT_EQ(lightgbm::Import(Bytes(linear)).status().code(), ErrorCode::kInvalidModel);
  // The same of another tree is said once.
  const std::size_t tree = linear.find("Tree=0"), end = linear.find("end of trees");
  linear.insert(end, linear.substr(tree, end - tree));
  const Status twice = lightgbm::Import(Bytes(linear)).status();
  EXPECT_EQ(twice.where(), "tree 0 and 1 more") << twice.ToString();
  EXPECT_TRUE(twice.others().empty()) << twice.ToString();
  std::string wrong = LightgbmFile();
  wrong.replace(wrong.find("2.5"), 3, "x.5");
  EXPECT_EQ(lightgbm::Import(Bytes(wrong)).status().where(), "tree 0: threshold");
}

// ---- PMML

std::string Label(const Graph& graph, double age, const char* town) {
  return Answers(graph, {{age}, {0, town}})[0].tensor().Data<std::string>()[0];
}

TEST(Pmml, FindsTheFirstPositionOfACategory) {
  const pmml::Field field = {.text = true,
                             .categories = std::vector<std::string>{"no", "yes", "no", ""}};
  EXPECT_EQ(field.CodeOf("no"), 0);
  EXPECT_EQ(field.CodeOf("yes"), 1);
  EXPECT_EQ(field.CodeOf(""), 3);
  EXPECT_EQ(field.CodeOf("maybe"), -2);
}

TEST(Pmml, FollowsTheStrategyForMissingValues) {
  ASSERT_TRUE(pmml::IsPmml(Bytes(PmmlFile("none"))));
  const Result<Graph> none = pmml::Import(Bytes(PmmlFile("none")));
  ASSERT_TRUE(none.ok()) << none.status().ToString();
  EXPECT_EQ(Label(*none, 20, "Rome"), "no");
  EXPECT_EQ(Label(*none, 40, "Oslo"), "yes");
  EXPECT_EQ(Label(*none, 40, "Rome"), "");  // no child is true, and null is the default
  EXPECT_EQ(Label(*none, NAN, "Oslo"), "");
  const Result<Graph> last = pmml::Import(Bytes(PmmlFile("lastPrediction")));
  ASSERT_TRUE(last.ok()) << last.status().ToString();
  EXPECT_EQ(Label(*last, NAN, "Oslo"), "no");
  EXPECT_EQ(Label(*last, 40, ""), "yes");
  const Result<Graph> child = pmml::Import(Bytes(PmmlFile("defaultChild")));
  ASSERT_TRUE(child.ok()) << child.status().ToString();
  EXPECT_EQ(Label(*child, NAN, "Oslo"), "yes");
  const std::vector<Datum> outputs = Answers(*last, {{NAN}, {0, "Oslo"}});
  EXPECT_DOUBLE_EQ(NumberOf(outputs[1]), 0.6);
  EXPECT_DOUBLE_EQ(NumberOf(outputs[2]), 0.4);
}

// A word that is NaN is a member of its own set only, as is every other: the sets of other nodes
// stay.
TEST(Pmml, ReadsNanInASetAsNoMember) {
  std::string file = PmmlFile("lastPrediction");
  const std::string_view test = R"(<SimplePredicate field="age" operator="lessThan" value="30"/>)";
  file.replace(file.find(test), test.size(),
               R"(<SimpleSetPredicate field="age" booleanOperator="isIn">)"
               R"(<Array n="2" type="real">nan 20</Array></SimpleSetPredicate>)");
  const Result<Graph> graph = pmml::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(Label(*graph, 20, "Rome"), "no");
  EXPECT_EQ(Label(*graph, 40, "Oslo"), "yes");
  EXPECT_DOUBLE_EQ(NumberOf(Answers(*graph, {{40}, {0, "Oslo"}})[2]), 1);
}

TEST(Pmml, GivesNoAnswerForAnInvalidValue) {
  const Result<Graph> graph = pmml::Import(Bytes(PmmlFile("lastPrediction")));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(Label(*graph, 200, "Oslo"), "");
  EXPECT_EQ(Label(*graph, 40, "Atlantis"), "");
  EXPECT_EQ(Label(*graph, 150, "Oslo"), "yes");
}

TEST(Pmml, RefusesDocumentTypesDepthAndWhatIsNotThere) {
  const std::string bomb = "<!DOCTYPE PMML [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>";
  EXPECT_EQ(pmml::Import(Bytes(PmmlFile("none", bomb))).status().code(), ErrorCode::kUnsafeFile);
  const std::string outside = "<!DOCTYPE PMML SYSTEM \"file:///etc/passwd\">";
  EXPECT_EQ(pmml::Import(Bytes(PmmlFile("none", outside))).status().code(), ErrorCode::kUnsafeFile);
  EXPECT_EQ(pmml::Import(Bytes(PmmlFile("someStrategy"))).status().code(), ErrorCode::kUnsupported);
  std::string deep = "<PMML>";
  for (int i = 0; i < 100'000; ++i) deep += "<Node>";
  EXPECT_FALSE(pmml::Import(Bytes(deep)).ok());
  for (int i = 0; i < 100'000; ++i) deep += "</Node>";
  EXPECT_EQ(pmml::Import(Bytes(deep + "</PMML>")).status().code(), ErrorCode::kResource);
}

// ---- CatBoost

TEST(Catboost, FollowsNumbersOneHotCategoriesAndStatisticsInBothFormsAndBothKindsOfTree) {
  for (const std::string& file :
       {catboost::JsonFile(), catboost::JsonFile(catboost::kNodeTrees), catboost::BinaryFile(),
        catboost::BinaryFile(catboost::NodeParts())}) {
    ASSERT_TRUE(catboost::IsCatboost(Bytes(file)));
    const Result<Graph> graph = catboost::Import(Bytes(file));
    ASSERT_TRUE(graph.ok()) << graph.status().ToString();
    EXPECT_EQ(graph->value(graph->inputs()[2]).name, "town");
    EXPECT_EQ(NumberOf(Answers(*graph, {{12}, {0, "red"}, {0, "a"}})[0]), 2 * (4 + 20) + 0.5);
    EXPECT_EQ(NumberOf(Answers(*graph, {{NAN}, {0, "blue"}, {0, "a"}})[0]), 2 * (2 + 20) + 0.5);
    // Only above 10 was "a" seen, and "b" never.
    EXPECT_EQ(NumberOf(Answers(*graph, {{10}, {0, "red"}, {0, "a"}})[0]), 2 * (3 + 10) + 0.5);
    EXPECT_EQ(NumberOf(Answers(*graph, {{12}, {0, ""}, {0, "b"}})[0]), 2 * (2 + 10) + 0.5);
  }
}

// Tables of two targets with the same combination were taken for one.
TEST(Catboost, LooksAStatisticUpInTheTableOfItsTarget) {
  for (const std::vector<std::int32_t>& targets : {std::vector{0, 1}, std::vector{1, 0}}) {
    catboost::BinaryParts parts;
    parts.targets = targets;
    const Result<Graph> graph = catboost::Import(Bytes(catboost::BinaryFile(parts)));
    ASSERT_TRUE(graph.ok()) << graph.status().ToString();
    EXPECT_EQ(NumberOf(Answers(*graph, {{12}, {0, "red"}, {0, "a"}})[0]), 2 * (4 + 20) + 0.5);
  }
}

TEST(Catboost, RefusesJsonThatLostTheStatisticsOfTargets) {
  const Status status =
      catboost::Import(Bytes(catboost::JsonFile(catboost::kLevelTrees, "MultiLogloss"))).status();
  EXPECT_NE(status.ToString().find("for each target of MultiLogloss"), std::string::npos)
      << status.ToString();
}

TEST(Catboost, NamesClassesAndDecidesByTheScore) {
  const std::string file = catboost::JsonFile(
      R"("oblivious_trees":[{"leaf_values":[-0.25,-0.25,-0.25,2],"splits":[{"split_index":0},{"split_index":1}]}])",
      "Logloss",
      R"(,"class_params":{"class_label_type":"String","class_names":["no","yes"],"class_to_label":[0,1]})");
  const Result<Graph> graph = catboost::Import(Bytes(file));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  // 2 * -0.25 + 0.5 is 0, which is not above 0.
  const std::vector<Datum> no = Answers(*graph, {{1}, {0, "red"}, {0, "a"}});
  EXPECT_EQ(no[0].tensor().Data<std::string>()[0], "no");
  EXPECT_EQ(NumberOf(no[1], 1), 0.5);
  const std::vector<Datum> yes = Answers(*graph, {{11}, {0, "red"}, {0, "a"}});
  EXPECT_EQ(yes[0].tensor().Data<std::string>()[0], "yes");
  EXPECT_NEAR(NumberOf(yes[1], 1), 1 / (1 + std::exp(-4.5)), 1e-15);
}

TEST(Catboost, TakesTheBorderOfProbabilitiesThatTheFileNames) {
  const Result<Graph> graph = catboost::Import(Bytes(catboost::JsonFile(
      R"("oblivious_trees":[{"leaf_values":[0,0.5],"splits":[{"split_index":0}]}])", "Logloss",
      R"(,"binclass_probability_threshold":"0.7")")));
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  // The scores are 0.5 and 1.5, the probabilities 0.62 and 0.82.
  EXPECT_EQ(NumberOf(Answers(*graph, {{1}, {0, ""}, {0, ""}})[0]), 0);
  EXPECT_EQ(NumberOf(Answers(*graph, {{11}, {0, ""}, {0, ""}})[0]), 1);
}

TEST(Catboost, RefusesTextColumnsAndTreesThatPromiseTooMuch) {
  const auto refusal = [](const std::string& file) {
    return catboost::Import(Bytes(file)).status().ToString();
  };
  std::string text = catboost::JsonFile();
  text.replace(text.find("\"float_features\""), 0, "\"text_features\":[{}],");
  EXPECT_NE(refusal(text).find("text_features are not implemented"), std::string::npos);
  catboost::BinaryParts parts;
  parts.sizes = {2, 9};
  EXPECT_NE(refusal(catboost::BinaryFile(parts)).find("tree 1 has 9 splits; 1 are left"),
            std::string::npos);
  parts = {};
  parts.leaves.pop_back();
  EXPECT_NE(refusal(catboost::BinaryFile(parts)).find("1 values are left"), std::string::npos);
  parts = {};
  parts.splits[2] = 3;
  EXPECT_NE(refusal(catboost::BinaryFile(parts)).find("split 3 does not exist; there are 3"),
            std::string::npos);
  parts = {};
  parts.entry = 7;
  EXPECT_NE(refusal(catboost::BinaryFile(parts)).find("entry 7 of a statistic has no counts"),
            std::string::npos);
}

}  // namespace
}  // namespace athanor
