#include "ops/ml/forest.h"

#include <gtest/gtest.h>

namespace athanor::ops {
namespace {

// Two nodes a level, each leading to both of the next: 2^levels ways through 2 * levels nodes.
TEST(Forest, BranchesThatMeetAgainCostNoMoreThanTheirNodes) {
  constexpr std::int64_t kLevels = 200;
  std::vector<std::int64_t> features, yes, no, leaf, missing, modes;
  for (std::int64_t level = 0; level < kLevels; ++level) {
    const bool last = level + 1 == kLevels;
    for (int side = 0; side < 2; ++side) {
      features.push_back(side);
      modes.push_back(0);
      leaf.push_back(last);
      yes.push_back(last ? 0 : 2 * (level + 1));
      no.push_back(last ? 1 : 2 * (level + 1) + 1);
    }
  }
  const std::vector<double> splits(features.size(), 0.5), weights = {1, 2};
  const std::vector<std::int64_t> roots = {0, 1}, targets = {0, 0};
  Forest::IndexedNodes nodes = {.roots = roots,
                                .feature = features,
                                .yes = yes,
                                .no = no,
                                .yes_is_leaf = leaf,
                                .no_is_leaf = leaf,
                                .missing = missing,
                                .mode = modes,
                                .split = splits,
                                .members = {},
                                .leaf_target = targets,
                                .leaf_weight = weights};
  const Result<Forest> forest = Forest::Make(nodes);
  ASSERT_TRUE(forest.ok()) << forest.status().ToString();
  EXPECT_EQ(forest->Depth(), 200U);
  EXPECT_EQ(forest->longest_paths(), 400);
  EXPECT_EQ(forest->NumFeatures(), 2U);
  EXPECT_EQ(forest->Walks()[0].nodes.size(), 399U);
  EXPECT_EQ(forest->Reach(0, std::vector<double>{0, 1}), 0U);
  yes[398] = 0;  // back to the first node
  std::vector<std::int64_t> some_leaf = leaf;
  some_leaf[398] = 0;
  nodes.yes_is_leaf = some_leaf;
  EXPECT_FALSE(Forest::Make(nodes).ok());
}

// A list of nodes for each tree took gigabytes where a small file had one chain under many roots.
TEST(Forest, TreesThatShareAllTheirNodesAreBounded) {
  constexpr std::size_t kNodes = 4000;
  std::vector<std::int64_t> yes(kNodes), yes_leaf(kNodes, 0);
  for (std::size_t i = 0; i < kNodes; ++i) yes[i] = static_cast<std::int64_t>(i) + 1;
  yes.back() = 0;
  yes_leaf.back() = 1;
  const std::vector<std::int64_t> zeros(kNodes, 0), ones(kNodes, 1), targets = {0};
  const std::vector<double> splits(kNodes, 0.5), weights = {1};
  for (const auto& [count, fine] : {std::pair{1, true}, {7, true}, {3000, false}}) {
    const std::vector<std::int64_t> roots(static_cast<std::size_t>(count), 0);
    const auto bounds = Forest::Check({.roots = roots,
                                       .feature = zeros,
                                       .yes = yes,
                                       .no = zeros,
                                       .yes_is_leaf = yes_leaf,
                                       .no_is_leaf = ones,
                                       .missing = {},
                                       .mode = zeros,
                                       .split = splits,
                                       .members = {},
                                       .leaf_target = targets,
                                       .leaf_weight = weights});
    EXPECT_EQ(bounds.ok(), fine) << count;
    if (!fine) {
      EXPECT_EQ(bounds.status().code(), ErrorCode::kResource);
    }
  }
}

}  // namespace
}  // namespace athanor::ops
