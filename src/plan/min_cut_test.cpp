#include "plan/min_cut.h"

#include <gtest/gtest.h>

#include <random>

namespace athanor::plan {
namespace {

struct Problem {
  struct Pair {
    std::size_t a, b;
    double cost;
  };
  std::vector<std::pair<double, double>> own;
  std::vector<Pair> pairs;

  double Cost(const std::vector<bool>& labels) const {
    double cost = 0;
    for (std::size_t i = 0; i < own.size(); ++i) cost += labels[i] ? own[i].second : own[i].first;
    for (const Pair& pair : pairs) cost += !labels[pair.a] && labels[pair.b] ? pair.cost : 0;
    return cost;
  }
};

TEST(MinCut, IsAsCheapAsTheBestOfAllLabellings) {
  std::mt19937 random(7);
  const auto draw = [&](int most) {
    return static_cast<double>(random() % static_cast<unsigned>(most));
  };
  for (int round = 0; round < 200; ++round) {
    constexpr std::size_t kNodes = 9;
    Problem problem;
    MinCut cut;
    for (std::size_t i = 0; i < kNodes; ++i) {
      problem.own.emplace_back(draw(20), draw(20));
      cut.AddNode();
      cut.AddOwnCost(i, problem.own.back().first, problem.own.back().second);
    }
    for (int i = 0; i < 16; ++i) {
      const std::size_t a = random() % kNodes, b = random() % kNodes;
      if (a == b) continue;
      problem.pairs.push_back({a, b, draw(10)});
      cut.AddPairCost(a, b, problem.pairs.back().cost);
    }
    double best = 1e9;
    for (unsigned bits = 0; bits < 1U << kNodes; ++bits) {
      std::vector<bool> labels;
      for (std::size_t i = 0; i < kNodes; ++i) labels.push_back((bits >> i & 1U) != 0);
      best = std::min(best, problem.Cost(labels));
    }
    EXPECT_NEAR(problem.Cost(cut.Solve()), best, 1e-3);
  }
}

TEST(MinCut, PrefersFalseWhenBothCostTheSame) {
  MinCut cut;
  cut.AddNode();
  cut.AddNode();
  cut.AddOwnCost(0, 3, 3);
  cut.AddOwnCost(1, 0, 0);
  EXPECT_EQ(cut.Solve(), (std::vector<bool>{false, false}));
}

TEST(MinCut, NeverTakesWhatIsForbidden) {
  MinCut cut;
  cut.AddNode();
  cut.AddNode();
  cut.AddOwnCost(0, 1e6, 0);  // would like true
  cut.AddOwnCost(1, 0, MinCut::kNever);
  cut.AddPairCost(1, 0, MinCut::kNever);  // true only together with node 1
  EXPECT_EQ(cut.Solve(), (std::vector<bool>{false, false}));
}

}  // namespace
}  // namespace athanor::plan
