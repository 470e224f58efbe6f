// Unhappy paths and rules of classical models; answers of a peer are in tests/oracles/contrib.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;

// feature 0 <= 1 ? 10 : 20
AttrMap OneTree() {
  return {
      {"nodes_treeids", Ints{0, 0, 0}},      {"nodes_nodeids", Ints{0, 1, 2}},
      {"nodes_featureids", Ints{0, 0, 0}},   {"nodes_modes", Strings{"BRANCH_LEQ", "LEAF", "LEAF"}},
      {"nodes_values", Floats{1, 0, 0}},     {"nodes_truenodeids", Ints{1, 0, 0}},
      {"nodes_falsenodeids", Ints{2, 0, 0}}, {"target_treeids", Ints{0, 0}},
      {"target_nodeids", Ints{1, 2}},        {"target_ids", Ints{0, 0}},
      {"target_weights", Floats{10, 20}}};
}

Status RunTree(AttrMap attributes) {
  return RunOperator("TreeEnsembleRegressor", {Tensor::FromVector<float>({1, 1}, {0})},
                     std::move(attributes))
      .status();
}

TEST(TreeEnsemble, SendsMissingValuesWhereTheNodeSays) {
  AttrMap attributes = OneTree();
  const Tensor x = Tensor::FromVector<float>({3, 1}, {1, 2, NAN});
  const auto right = RunOperator("TreeEnsembleRegressor", {x}, attributes);
  ASSERT_TRUE(right.ok()) << right.status().ToString();
  EXPECT_TRUE((*right)[0].SameAs(Tensor::FromVector<float>({3, 1}, {10, 20, 20})));
  attributes.Set("nodes_missing_value_tracks_true", Ints{1, 0, 0});
  const auto left = RunOperator("TreeEnsembleRegressor", {x}, attributes);
  ASSERT_TRUE(left.ok());
  EXPECT_TRUE((*left)[0].SameAs(Tensor::FromVector<float>({3, 1}, {10, 20, 10})));
}

// Ten votes of 1/20 in f32 add up to more than 1/2 in f64: the label was the second, whose score is
// given out as 1/2.
TEST(TreeEnsemble, ChoosesTheLabelByTheScoresThatItGivesOut) {
  constexpr std::int64_t kTrees = 10;
  Ints trees(kTrees);
  std::iota(trees.begin(), trees.end(), 0);
  const Ints zeros(kTrees, 0);
  const auto made = RunOperator("TreeEnsembleClassifier", {Tensor::FromVector<float>({1, 1}, {0})},
                                {{"nodes_treeids", trees},
                                 {"nodes_nodeids", zeros},
                                 {"nodes_featureids", zeros},
                                 {"nodes_modes", Strings(kTrees, "LEAF")},
                                 {"nodes_values", Floats(kTrees, 0)},
                                 {"nodes_truenodeids", zeros},
                                 {"nodes_falsenodeids", zeros},
                                 {"class_treeids", trees},
                                 {"class_nodeids", zeros},
                                 {"class_ids", zeros},
                                 {"class_weights", Floats(kTrees, 0.05F)},
                                 {"classlabels_int64s", Ints{0, 1}}},
                                2);
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  EXPECT_EQ((*made)[1].Data<float>()[1], 0.5F);
  EXPECT_EQ((*made)[0].Data<std::int64_t>()[0], 0);
}

TEST(TreeEnsemble, RefusesNodesThatFormACycle) {
  AttrMap attributes = OneTree();
  attributes.Set("nodes_modes", Strings{"BRANCH_LEQ", "BRANCH_LEQ", "LEAF"});
  attributes.Set("nodes_truenodeids", Ints{1, 0, 0});
  EXPECT_EQ(RunTree(attributes).message(), "tree 0 has 0 roots; 1 is expected");
}

TEST(TreeEnsemble, RefusesWhatDoesNotExist) {
  AttrMap attributes = OneTree();
  attributes.Set("nodes_truenodeids", Ints{7, 0, 0});
  EXPECT_EQ(RunTree(attributes).message(), "node 0 of tree 0 has a child that does not exist");
  attributes = OneTree();
  attributes.Set("nodes_featureids", Ints{1, 0, 0});
  EXPECT_EQ(RunTree(attributes).message(), "the trees look at feature 1, but x has 1 features");
  attributes.Set("nodes_featureids", Ints{-1, 0, 0});
  EXPECT_EQ(RunTree(attributes).message(), "feature -1 does not exist");
  attributes = OneTree();
  attributes.Set("nodes_modes", Strings{"BRANCH_ODD", "LEAF", "LEAF"});
  EXPECT_FALSE(RunTree(attributes).ok());
  attributes = OneTree();
  attributes.Set("nodes_values", Floats{1});
  EXPECT_EQ(RunTree(attributes).message(), "nodes_values has 1 entries; 3 are expected");
  attributes = OneTree();
  attributes.Set("n_targets", std::int64_t{1} << 40);
  EXPECT_FALSE(RunTree(attributes).ok());
  attributes = OneTree();
  attributes.Set("post_transform", std::string("TANH"));
  EXPECT_FALSE(RunTree(attributes).ok());
}

TEST(LinearRegressor, RefusesCoefficientsThatDoNotFit) {
  EXPECT_EQ(RunOperator("LinearRegressor", {Tensor::FromVector<float>({1, 2}, {1, 2})},
                        {{"coefficients", Floats{1, 2, 3}}})
                .status()
                .message(),
            "x has 2 features, the coefficients 3");
}

// Two classes with one support vector each.
AttrMap Machine() {
  return {{"classlabels_ints", Ints{5, 7}},
          {"coefficients", Floats{1, -1}},
          {"rho", Floats{0}},
          {"support_vectors", Floats{1, 3}},
          {"vectors_per_class", Ints{1, 1}}};
}

Status RunMachine(const AttrMap& attributes) {
  return RunOperator("SVMClassifier", {Tensor::FromVector<float>({1, 1}, {1})}, attributes, 2)
      .status();
}

TEST(SVMClassifier, ComparesTwoClasses) {
  // 1 * 2 - 3 * 2: the second class.
  const auto y =
      RunOperator("SVMClassifier", {Tensor::FromVector<float>({1, 1}, {2})}, Machine(), 2);
  ASSERT_TRUE(y.ok()) << y.status().ToString();
  EXPECT_TRUE((*y)[0].SameAs(Tensor::FromVector<std::int64_t>({1}, {7})));
  EXPECT_TRUE((*y)[1].SameAs(Tensor::FromVector<float>({1, 2}, {4, -4})));
}

TEST(SVMClassifier, RefusesListsThatDoNotFit) {
  ASSERT_TRUE(RunMachine(Machine()).ok());
  const std::pair<const char*, AttrValue> cases[] = {
      {"coefficients", Floats{1}},
      {"rho", Floats{}},
      {"support_vectors", Floats{1, 2, 3}},
      {"support_vectors", Floats{}},
      {"vectors_per_class", Ints{2}},
      {"vectors_per_class", Ints{-1, 3}},
      {"vectors_per_class", Ints{std::int64_t{1} << 62, std::int64_t{1} << 62}},
      {"prob_a", Floats{1}},
      {"kernel_type", std::string("CUBIC")},
      {"post_transform", std::string("LOGISTIC")},
      {"classlabels_ints", Ints{1}},
      {"classlabels_ints", Ints{}}};
  for (const auto& [name, value] : cases) {
    AttrMap attributes = Machine();
    attributes.Set(name, value);
    EXPECT_FALSE(RunMachine(attributes).ok()) << name;
  }
}

TEST(OneHotEncoder, RefusesUnknownCategoriesWhenAskedTo) {
  const auto run = [](std::int64_t zeros) {
    return RunOperator("OneHotEncoder", {Tensor::FromVector<std::int64_t>({1}, {9})},
                       {{"cats_int64s", Ints{1, 2}}, {"zeros", zeros}});
  };
  EXPECT_TRUE(run(1).ok());
  EXPECT_EQ(run(0).status().code(), ErrorCode::kDataError);
}

TEST(ArrayFeatureExtractor, RefusesAFeatureBeyondTheEnd) {
  EXPECT_EQ(RunOperator("ArrayFeatureExtractor", {Tensor::FromVector<float>({1, 2}, {1, 2}),
                                                  Tensor::FromVector<std::int64_t>({1}, {2})})
                .status()
                .message(),
            "feature 2 is asked for; x has 2");
}

// What CatBoost 1.2.10 notes as the hashes of these strings (cat_features_hash of its JSON).
TEST(CategoryHash, IsThatOfCatboostForEveryLengthOfItsAlgorithm) {
  std::string letters;
  while (letters.size() < 200) letters += "abcdefghijklmnopqrstuvwxyz0123456789";
  const auto first = [&](std::size_t count) { return letters.substr(0, count); };
  const Strings names = {"",         first(1),   first(3),   first(4),  first(8),  first(9),
                         first(16),  first(17),  first(32),  first(33), first(64), first(65),
                         first(128), first(129), first(200), "red",     "green",   "Z\u00fcrich"};
  const std::vector<std::uint32_t> expected = {
      797982799,  3489901818, 978243121,  345588365,  4270775063, 3019552977,
      2150978241, 322581478,  2335930906, 2217718852, 1088087247, 810490489,
      4040918288, 2955542720, 3469122395, 3052168893, 1390465085, 3409199112};
  const auto count = static_cast<std::int64_t>(names.size());
  const auto hashes = RunOperator("CategoryHash", {Tensor::FromVector({count}, names)}, {});
  ASSERT_TRUE(hashes.ok()) << hashes.status().ToString();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::int32_t hash = (*hashes)[0].Data<std::int32_t>()[i];
    EXPECT_EQ(static_cast<std::uint32_t>(hash), expected[i]) << names[i].size() << " bytes";
  }
}

// One combination: category 0, whether number 0 is above 1/2.
AttrMap OneCombination() {
  const auto floats = [](const Floats& list) {
    return Tensor::FromVector({static_cast<std::int64_t>(list.size())}, list);
  };
  // f * f * 5 and, after the answer, f * (f * f * 5 + f), f = 0x4906ba494954cb65.
  constexpr std::uint64_t kFactor = 0x4906ba494954cb65,
                          kAbove = kFactor * (kFactor * kFactor * 5 + kFactor);
  return {{"category_counts", Ints{1}},
          {"categories", Ints{0}},
          {"above_counts", Ints{1}},
          {"above_features", Ints{0}},
          {"above_borders", floats({0.5F})},
          {"equal_counts", Ints{0}},
          {"equal_categories", Ints{}},
          {"equal_values", Ints{}},
          {"entry_counts", Ints{1}},
          {"hashes", Tensor::FromVector<std::int64_t>({1}, {static_cast<std::int64_t>(kAbove)})},
          {"value_counts", Ints{2}},
          {"values", floats({8, 9})},
          {"defaults", floats({1, 2})}};
}

Result<std::vector<Tensor>> RunCombination(const AttrMap& attributes) {
  return RunOperator("CombinationStatistics",
                     {Tensor::FromVector<std::int32_t>({3, 1}, {5, 5, 6}),
                      Tensor::FromVector<float>({3, 1}, {0.75F, NAN, 0.75F})},
                     attributes);
}

TEST(CombinationStatistics, LooksUpTheHashOfCategoriesAndAnswers) {
  const auto values = RunCombination(OneCombination());
  ASSERT_TRUE(values.ok()) << values.status().ToString();
  EXPECT_TRUE((*values)[0].SameAs(Tensor::FromVector<float>({3, 2}, {8, 9, 1, 2, 1, 2})));
}

TEST(CombinationStatistics, RefusesListsThatDoNotFit) {
  const auto refusal = [](std::string_view name, auto value) {
    AttrMap attributes = OneCombination();
    attributes.Set(name, std::move(value));
    return RunCombination(attributes).status().ToString();
  };
  const auto says = [](const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(says(refusal("categories", Ints{1}), "input 0 has 1 columns; 2 are looked at"));
  EXPECT_TRUE(says(refusal("categories", Ints{-1}), "column -1 does not exist"));
  EXPECT_TRUE(says(refusal("categories", Ints{0, 0}), "1 entries too many"));
  EXPECT_TRUE(says(refusal("entry_counts", Ints{2}), "1 entries are left of 2"));
  EXPECT_TRUE(says(refusal("value_counts", Ints{1, 1}), "differ in length"));
  EXPECT_TRUE(says(refusal("value_counts", Ints{-1}), "2 entries are left of -1"));
  EXPECT_TRUE(says(refusal("values", Tensor::FromVector<float>({1}, {8})), "fewer than 2 values"));
  AttrMap twice = OneCombination();
  twice.Set("entry_counts", Ints{2});
  twice.Set("hashes", Tensor::FromVector<std::int64_t>({2}, {3, 3}));
  twice.Set("values", Tensor::FromVector<float>({4}, {1, 2, 3, 4}));
  EXPECT_TRUE(says(RunCombination(twice).status().ToString(), "hash 3 stands twice"));
}

}  // namespace
}  // namespace athanor::ops
