#include <gtest/gtest.h>

#include <cmath>

#include "kernels/check_kernels.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

// Two trees. The first asks "<" and its kin only, with a shared leaf; the second everything else.
AttrMap TwoTrees(std::int64_t aggregate, bool wide) {
  const auto numbers = [&](const std::vector<double>& values) {
    const Dims dims = {static_cast<std::int64_t>(values.size())};
    if (wide) return Tensor::FromVector(dims, values);
    return Tensor::FromVector(dims, std::vector<float>(values.begin(), values.end()));
  };
  const double none = std::nan("");
  return {
      {"aggregate_function", aggregate},
      {"n_targets", std::int64_t{2}},
      {"tree_roots", Ints{0, 4}},
      {"nodes_featureids", Ints{0, 1, 2, 0, 1, 2, 0}},
      {"nodes_modes", Tensor::FromVector<std::uint8_t>({7}, {0, 1, 2, 3, 4, 6, 6})},
      {"nodes_splits", numbers({0, 1, -1, 0.5, 1, 0, 0})},
      {"nodes_truenodeids", Ints{1, 0, 2, 3, 5, 4, 5}},
      {"nodes_falsenodeids", Ints{2, 1, 3, 1, 6, 5, 0}},
      {"nodes_trueleafs", Ints{0, 1, 1, 1, 0, 1, 1}},
      {"nodes_falseleafs", Ints{0, 1, 0, 1, 0, 1, 1}},
      {"nodes_missing_value_tracks_true", Ints{1, 0, 1, 0, 0, 1, 0}},
      {"membership_values", numbers({1, 3, 60, none, -2, 0.5, 700, none})},
      {"leaf_targetids", Ints{0, 1, 0, 1, 0, 1}},
      {"leaf_weights", numbers({1, 2, 4, 8, 16.25, 0.1})},
  };
}

template <class T>
Tensor Rows(std::int64_t rows) {
  const std::vector<double> values = {0, 1, -1, 0.5, 3, 60, 700, -2, 2.5, std::nan(""), 1e30};
  std::vector<T> cells;
  for (std::int64_t i = 0; i < rows * 3; ++i)
    cells.push_back(
        static_cast<T>(values[static_cast<std::size_t>(i * 7 + i / 11) % values.size()]));
  return Tensor::FromVector<T>({rows, 3}, cells);
}

TEST(ForestKernels, AgreeWithTheReferenceForEveryKindOfNode) {
  for (const std::int64_t rows : {1, 7, 8, 9, 63, 64, 65, 200}) {
    for (const std::int64_t aggregate : {0, 1}) {
      EXPECT_GT(CheckKernels({.op = "TreeEnsemble",
                              .inputs = {Rows<float>(rows)},
                              .attributes = TwoTrees(aggregate, false)}),
                0);
      EXPECT_GT(CheckKernels({.op = "TreeEnsemble",
                              .inputs = {Rows<double>(rows)},
                              .attributes = TwoTrees(aggregate, true)}),
                0);
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
