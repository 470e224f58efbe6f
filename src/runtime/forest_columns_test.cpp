// Forests that read the columns of a table before they are joined.
#include <gtest/gtest.h>

#include <random>

#include "ops/catalog.h"
#include "plan/plan.h"
#include "runtime/graph_for_test.h"
#include "runtime/session.h"

namespace athanor {
namespace {

using Ints = std::vector<std::int64_t>;

// Trees of two levels, the second of which asks the same on both sides where `oblivious`.
AttrMap Trees(std::int64_t features, bool oblivious) {
  std::mt19937 random(7);
  const auto pick = [&](std::int64_t count) { return static_cast<std::int64_t>(random() % count); };
  Ints roots, feature, yes, no, yes_leaf, no_leaf, missing, targets;
  std::vector<std::uint8_t> modes;
  std::vector<double> splits, weights;
  for (std::int64_t tree = 0; tree < 40; ++tree) {
    const std::int64_t first = 3 * tree, leaf = 4 * tree;
    roots.push_back(first);
    for (std::int64_t i = 0; i < 3; ++i) {
      const bool again = oblivious && i == 2;
      feature.push_back(again ? feature.back() : pick(features));
      splits.push_back(again ? splits.back() : static_cast<double>(pick(80)) / 20 - 2);
      modes.push_back(again ? modes.back() : static_cast<std::uint8_t>(pick(7) == 0 ? 4 : pick(4)));
      missing.push_back(again ? missing.back() : pick(2));
      yes.push_back(i == 0 ? first + 1 : leaf + 2 * (i - 1));
      no.push_back(yes.back() + 1);
      yes_leaf.push_back(i == 0 ? 0 : 1);
      no_leaf.push_back(i == 0 ? 0 : 1);
    }
    for (int i = 0; i < 4; ++i) {
      weights.push_back(static_cast<double>(pick(1'000'003)) / 3e5);
      targets.push_back(0);
    }
  }
  const auto numbers = [](const std::vector<double>& values) {
    return Tensor::FromVector({static_cast<std::int64_t>(values.size())}, values);
  };
  return {{"n_targets", std::int64_t{1}},
          {"tree_roots", roots},
          {"nodes_featureids", feature},
          {"nodes_modes", Tensor::FromVector({static_cast<std::int64_t>(modes.size())}, modes)},
          {"nodes_splits", numbers(splits)},
          {"nodes_truenodeids", yes},
          {"nodes_falsenodeids", no},
          {"nodes_trueleafs", yes_leaf},
          {"nodes_falseleafs", no_leaf},
          {"nodes_missing_value_tracks_true", missing},
          {"leaf_targetids", targets},
          {"leaf_weights", numbers(weights)}};
}

struct Case {
  DType dtype = DType::kF32;  // of the columns
  Ints widths = {1, 1, 1};
  bool oblivious = false;
  bool joined_is_answer = false;  // somebody else reads the table
};

Graph GraphOf(const Case& test) {
  Graph graph(ops::Standard());
  std::vector<ValueId> columns;
  std::int64_t features = 0;
  for (const std::int64_t width : test.widths) {
    columns.push_back(graph.AddInput("x" + std::to_string(columns.size()),
                                     Type::Tensor(test.dtype, {Dim::Symbol("N"), Dim(width)})));
    features += width;
  }
  ValueId table = columns[0];
  if (columns.size() > 1) table = Op(graph, "Concat", columns, {{"axis", std::int64_t{1}}});
  if (test.joined_is_answer) graph.AddOutput("table", table);
  if (test.dtype != DType::kF64) table = Op(graph, "Cast", {table}, {{"to", DType::kF64}});
  graph.AddOutput("sum", Op(graph, "TreeEnsemble", {table}, Trees(features, test.oblivious)));
  return graph;
}

Tensor Column(const Case& test, std::int64_t rows, std::int64_t width, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> values;
  for (std::int64_t i = 0; i < rows * width; ++i) {
    const auto number = static_cast<double>(random() % 90) / 20 - 2.2;
    values.push_back(random() % 9 == 0 ? std::nan("") : number);
  }
  if (test.dtype == DType::kF64) return Tensor::FromVector({rows, width}, values);
  return Tensor::FromVector({rows, width}, std::vector<float>(values.begin(), values.end()));
}

TEST(ForestColumns, GiveTheSameSumsAsTheReferenceJoinedOrNot) {
  const std::vector<Case> cases = {{},
                                   {.oblivious = true},
                                   {.dtype = DType::kF64},
                                   {.widths = {2, 1, 70}},
                                   {.widths = {5}},
                                   {.joined_is_answer = true}};
  for (const Isa isa : AvailableIsas()) {
    for (const Case& test : cases) {
      const auto session = *Session::Create(GraphOf(test), {.threads = 2, .isa = isa});
      const auto reference = *Session::Create(GraphOf(test), {.device = "reference"});
      for (const std::int64_t rows : {1, 3, 64, 65, 700}) {
        std::vector<Datum> inputs;
        std::vector<Type> types;
        for (const std::int64_t width : test.widths) {
          inputs.emplace_back(
              Column(test, rows, width, static_cast<unsigned>(inputs.size() + 100 * rows)));
          types.push_back(Type::Of(inputs.back()));
        }
        const std::vector<Datum> expected = *reference->Run(inputs);
        const std::vector<Datum> actual = *session->Run(inputs);
        for (std::size_t i = 0; i < expected.size(); ++i)
          EXPECT_TRUE(actual[i].tensor().SameAs(expected[i].tensor())) << rows << " rows";
        // Few rows are walked on machines whose kernels for them take one table.
        if (rows == 700) {
          const auto plan = *session->PlanFor(types);
          EXPECT_EQ(plan->steps.size() == 1, !test.joined_is_answer);
        }
      }
    }
  }
}

}  // namespace
}  // namespace athanor
