// Distances and likenesses by hand, after PMML 4.4's comparison measures.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/run_for_test.h"

namespace athanor::ops {
namespace {

using Doubles = std::vector<double>;

Doubles Measure(const std::string& measure, Doubles x, Doubles point, AttrMap attributes = {}) {
  const auto width = static_cast<std::int64_t>(x.size());
  attributes.Set("measure", measure);
  const auto y = RunOperator(
      "PairwiseMeasure",
      {Tensor::FromVector({1, width}, std::move(x)),
       Tensor::FromVector({static_cast<std::int64_t>(point.size()) / width, width}, point)},
      std::move(attributes));
  EXPECT_TRUE(y.ok()) << y.status().ToString();
  if (!y.ok()) return {};
  const auto data = (*y)[0].Data<double>();
  return {data.begin(), data.end()};
}

TEST(PairwiseMeasure, FollowsTheDefinitions) {
  EXPECT_EQ(Measure("squaredEuclidean", {0, 0}, {3, 4, 1, 1}), (Doubles{25, 2}));
  EXPECT_EQ(Measure("euclidean", {0, 0}, {3, 4}), Doubles{5});
  EXPECT_EQ(Measure("cityBlock", {0, 0}, {3, -4}), Doubles{7});
  EXPECT_EQ(Measure("chebychev", {0, 0}, {3, -4}), Doubles{4});
  EXPECT_NEAR(Measure("minkowski", {0, 0}, {3, 4}, {{"p", 3.0F}})[0], std::cbrt(91.0), 1e-12);
  EXPECT_EQ(Measure("cityBlock", {1, 2}, {1, 5},
                    {{"compare", std::vector<std::string>{"equal", "delta"}}}),
            Doubles{2});
  const Tensor scales = Tensor::FromVector<double>({1}, {2});
  EXPECT_EQ(Measure("cityBlock", {0}, {2},
                    {{"compare", std::vector<std::string>{"gaussSim"}}, {"scales", scales}}),
            Doubles{0.5});
  const Tensor weights = Tensor::FromVector<double>({2}, {1, 10});
  EXPECT_EQ(Measure("squaredEuclidean", {0, 0}, {3, 4}, {{"weights", weights}}), Doubles{169});
}

TEST(PairwiseMeasure, ScalesDistancesUpForMissingFeatures) {
  EXPECT_EQ(Measure("squaredEuclidean", {NAN, 0}, {3, 4}), Doubles{32});
  const Tensor weights = Tensor::FromVector<double>({2}, {3, 1});
  EXPECT_EQ(Measure("squaredEuclidean", {NAN, 0}, {3, 4}, {{"missing_weights", weights}}),
            Doubles{64});
  EXPECT_TRUE(std::isnan(Measure("euclidean", {NAN, NAN}, {3, 4})[0]));
}

TEST(PairwiseMeasure, CountsBinaryFeatures) {
  // 1-1 once, 1-0 once, 0-1 once, 0-0 twice.
  const Doubles a = {1, 1, 0, 0, 0}, b = {1, 0, 1, 0, 0};
  EXPECT_EQ(Measure("simpleMatching", a, b), Doubles{3.0 / 5});
  EXPECT_EQ(Measure("jaccard", a, b), Doubles{1.0 / 3});
  EXPECT_EQ(Measure("tanimoto", a, b), Doubles{3.0 / 7});
  const Tensor parameters = Tensor::FromVector<double>({8}, {0, 0, 0, 1, 1, 1, 1, 1});
  EXPECT_EQ(Measure("binarySimilarity", a, b, {{"parameters", parameters}}), Doubles{1.0 / 5});
}

TEST(PairwiseMeasure, RefusesWhatDoesNotFit) {
  const auto status = [](AttrMap attributes) {
    return RunOperator("PairwiseMeasure",
                       {Tensor::FromVector<double>({1, 2}, {0, 0}),
                        Tensor::FromVector<double>({1, 2}, {0, 0})},
                       std::move(attributes))
        .status()
        .message();
  };
  EXPECT_EQ(status({{"measure", std::string("ruler")}}), "measure \"ruler\" is not known");
  EXPECT_EQ(status({{"compare", std::vector<std::string>{"near", "near"}}}),
            "compare \"near\" is not known");
  EXPECT_EQ(status({{"weights", Tensor::FromVector<double>({1}, {1})}}),
            "weights has 1 values for 2 features");
}

}  // namespace
}  // namespace athanor::ops
