#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/check_kernels.h"
#include "kernels/list.h"
#include "ops/catalog.h"

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

// Trees grown at random. Sums must be the reference's to the bit: the order of additions is a
// promise.
struct Grown {
  std::vector<double> splits, members, weights;
  std::vector<std::uint8_t> modes;
  Ints features, yes, no, yes_leaf, no_leaf, missing, roots, targets;

  std::mt19937 random = std::mt19937(1);
  std::int64_t num_features = 5, num_targets = 1, num_thresholds = 40;
  bool same_target = true;  // in all leaves of a tree
  bool plain = false;       // no node asks more than "<" and "<="

  std::int64_t Pick(std::int64_t count) { return static_cast<std::int64_t>(random() % count); }

  // A tree of so many inner nodes: each hangs on a free branch, the last one made or any.
  void Add(std::int64_t nodes, bool chain) {
    const auto first = static_cast<std::int64_t>(features.size());
    const std::int64_t target = Pick(num_targets);
    roots.push_back(first);
    std::vector<std::int64_t*> open;
    for (Ints* list : {&features, &yes, &no, &yes_leaf, &no_leaf, &missing})
      list->resize(list->size() + static_cast<std::size_t>(nodes));
    for (std::int64_t i = 0; i < nodes; ++i) {
      const auto at = static_cast<std::size_t>(first + i);
      features[at] = Pick(num_features);
      missing[at] = Pick(2);
      splits.push_back(static_cast<double>(Pick(num_thresholds)) / 4 - 3);
      modes.push_back(static_cast<std::uint8_t>(!plain && Pick(20) == 0 ? Pick(7) : Pick(2)));
      if (modes.back() == 6) members.insert(members.end(), {1, 2.5, -1, std::nan("")});
      if (i > 0) {
        const std::size_t slot =
            chain ? open.size() - 1
                  : static_cast<std::size_t>(Pick(static_cast<std::int64_t>(open.size())));
        *open[slot] = first + i;
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(slot));
      }
      yes[at] = no[at] = -1;
      open.push_back(&yes[at]);
      open.push_back(&no[at]);
    }
    for (std::int64_t i = first; i < first + nodes; ++i) {
      const auto at = static_cast<std::size_t>(i);
      for (const auto& [child, leaf] : {std::pair(&yes, &yes_leaf), std::pair(&no, &no_leaf)}) {
        if ((*child)[at] >= 0) continue;
        (*child)[at] = static_cast<std::int64_t>(weights.size());
        (*leaf)[at] = 1;
        weights.push_back(static_cast<double>(Pick(1'000'003)) / 3e5 - 1);
        targets.push_back(same_target ? target : Pick(num_targets));
      }
    }
  }

  // A tree whose levels make one test each; at node `odd`, counted as in a heap, it is another one.
  void AddOblivious(int depth, std::int64_t odd = -1) {
    const auto first = static_cast<std::int64_t>(features.size());
    const std::int64_t inner = (std::int64_t{1} << depth) - 1, target = Pick(num_targets);
    roots.push_back(first);
    for (int level = 0; level < depth; ++level) {
      const std::int64_t feature = Pick(num_features), threshold = Pick(num_thresholds);
      const std::int64_t mode = Pick(4), missing_is_yes = Pick(2);
      for (std::int64_t i = (1 << level) - 1; i < (2 << level) - 1; ++i) {
        features.push_back(feature);
        splits.push_back(static_cast<double>(i == odd ? threshold + 1 : threshold) / 4 - 3);
        modes.push_back(static_cast<std::uint8_t>(mode));
        missing.push_back(missing_is_yes);
        const bool leaf = level + 1 == depth;
        yes.push_back(leaf ? static_cast<std::int64_t>(weights.size()) + 2 * (i - inner / 2)
                           : first + 2 * i + 1);
        no.push_back(yes.back() + 1);
        for (Ints* list : {&yes_leaf, &no_leaf}) list->push_back(leaf ? 1 : 0);
      }
    }
    for (std::int64_t leaf = 0; leaf <= inner; ++leaf) {
      weights.push_back(static_cast<double>(Pick(1'000'003)) / 3e5 - 1);
      targets.push_back(same_target ? target : Pick(num_targets));
    }
  }

  template <class T>
  AttrMap Attributes() const {
    const auto numbers = [](const std::vector<double>& values) {
      return Tensor::FromVector({static_cast<std::int64_t>(values.size())},
                                std::vector<T>(values.begin(), values.end()));
    };
    AttrMap map = {{"n_targets", num_targets},
                   {"tree_roots", roots},
                   {"nodes_featureids", features},
                   {"nodes_modes", Tensor::FromVector<std::uint8_t>(
                                       {static_cast<std::int64_t>(modes.size())}, modes)},
                   {"nodes_splits", numbers(splits)},
                   {"nodes_truenodeids", yes},
                   {"nodes_falsenodeids", no},
                   {"nodes_trueleafs", yes_leaf},
                   {"nodes_falseleafs", no_leaf},
                   {"nodes_missing_value_tracks_true", missing},
                   {"leaf_targetids", targets},
                   {"leaf_weights", numbers(weights)}};
    if (!members.empty()) map.Set("membership_values", numbers(members));
    return map;
  }

  template <class T>
  Tensor Rows(std::int64_t rows) {
    constexpr T kInf = std::numeric_limits<T>::infinity();
    std::vector<T> cells;
    for (std::int64_t i = 0; i < rows * num_features; ++i) {
      const T number = static_cast<T>(Pick(num_thresholds * 2)) / 8 - 3;
      const std::int64_t odd = Pick(30);
      cells.push_back(odd == 0 ? T(std::nan("")) : odd == 1 ? kInf : odd == 2 ? -kInf : number);
    }
    return Tensor::FromVector<T>({rows, num_features}, cells);
  }

  template <class T>
  void Check(std::int64_t rows) {
    EXPECT_GE(CheckKernels({.op = "TreeEnsemble",
                            .inputs = {Rows<T>(rows)},
                            .attributes = Attributes<T>(),
                            .tolerance = 0}),
              3);
  }
};

TEST(ForestKernels, AddTreesOfEveryShapeToTheBit) {
  for (const bool chain : {false, true}) {
    Grown forest;
    for (std::int64_t nodes = 1; nodes < 40; ++nodes) forest.Add(nodes, chain);
    for (const std::int64_t nodes : {100, 180, 254, 255, 256, 400}) forest.Add(nodes, chain);
    for (const std::int64_t rows : {1, 5, 64, 65, 300}) {
      forest.Check<float>(rows);
      forest.Check<double>(rows);
    }
  }
}

TEST(ForestKernels, AskALevelOfAnObliviousTreeOnce) {
  for (const bool same : {true, false}) {
    Grown forest;
    forest.num_targets = same ? 1 : 3;
    forest.same_target = same;
    for (int depth = 1; depth <= 9; ++depth) {
      forest.AddOblivious(depth);
      forest.AddOblivious(depth, (1 << depth) - 2);  // the last node of the last level
      forest.Add(9, false);
    }
    for (const std::int64_t rows : {1, 64, 65, 300}) {
      forest.Check<float>(rows);
      forest.Check<double>(rows);
    }
  }
}

// LightGBM's way to ask whether a number is missing.
TEST(ForestKernels, AskWhetherThereIsANumber) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const std::int64_t thresholds : {3, 40, 255, 256, 600}) {
    Grown forest;
    forest.num_features = 2;
    forest.num_thresholds = thresholds;
    for (int i = 0; i < 90; ++i) forest.Add(20, false);
    for (std::size_t i = 0; i < forest.splits.size(); i += 7) {
      if (forest.modes[i] == 6) continue;  // its set of members stays
      forest.modes[i] = i % 2 == 0 ? 0 : 2;
      forest.splits[i] = i % 2 == 0 ? kInf : -kInf;
    }
    for (const std::int64_t rows : {1, 65}) {
      forest.Check<float>(rows);
      forest.Check<double>(rows);
    }
  }
}

// Up to 63 tests are answered by one comparison, on up to 128 columns.
TEST(ForestKernels, AnswerTreesOfAnyShapeForOneRow) {
  for (const bool chain : {false, true}) {
    for (const std::int64_t features : {5, 30, 60, 100}) {
      Grown forest;
      forest.num_features = features;
      for (std::int64_t nodes = 56; nodes < 70; ++nodes) forest.Add(nodes, chain);
      for (int i = 0; i < 40; ++i) forest.Add(30 + forest.Pick(34), i % 3 == 0);
      for (const std::int64_t rows : {1, 3, 64}) {
        forest.Check<float>(rows);
        forest.Check<double>(rows);
      }
    }
  }
}

bool HasMasks() { return BestIsa() >= Isa::kAvx512 && __builtin_cpu_supports("avx512vbmi"); }

// The kernels that fit, the best first.
template <class T>
std::vector<std::string> KernelsFor(const Grown& forest, std::int64_t rows) {
  const DType dtype = sizeof(T) == 4 ? DType::kF32 : DType::kF64;
  const AttrMap attributes = forest.Attributes<T>();
  KernelQuery query = {.attributes = &attributes,
                       .in = {{dtype, {rows, forest.num_features}}},
                       .own_inputs = 1,
                       .out = {{dtype, {rows, forest.num_targets}}}};
  query.op = ops::Standard().Find("TreeEnsemble");
  std::vector<std::string> names;
  for (const Candidate& candidate : Candidates(query, BestIsa()))
    if (candidate.fit.yes()) names.push_back(candidate.def->name);
  return names;
}

// For one row, by masks among others.
void CheckOneRow(Grown& forest) {
  for (const std::int64_t rows : {1, 20}) {  // one after the other
    forest.Check<float>(rows);
    forest.Check<double>(rows);
  }
  if (!HasMasks()) return;
  for (const auto& names : {KernelsFor<float>(forest, 1), KernelsFor<double>(forest, 1)}) {
    EXPECT_TRUE(std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name.find("masks") != std::string::npos;
    }));
  }
}

// Small trees share the 64 tests of a word: eight to a word, four, two; then deep ones of up to 64
// tests. 11 trees are a whole group and a part of one.
TEST(ForestKernels, AnswerTreesThatShareAWordForOneRow) {
  for (const std::int64_t nodes : {0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64}) {
    for (const bool chain : {false, true}) {
      for (const std::int64_t features : {5, 45}) {  // in one register, and in two
        Grown forest;
        forest.num_features = features;
        forest.plain = features == 45;
        for (int i = 0; i < 11; ++i) forest.Add(std::max<std::int64_t>(1, nodes - i % 3), chain);
        for (int i = 0; i < 90 && features == 45; ++i) forest.Add(nodes + 1, chain);
        CheckOneRow(forest);
      }
    }
  }
}

// Perfect trees, whose last level makes two different tests: they are heaps up to six levels, and
// go on below by one or two, or by more.
TEST(ForestKernels, AnswerPerfectTreesForOneRow) {
  for (int depth = 2; depth <= 10; ++depth) {
    Grown forest;
    forest.num_targets = depth % 2 == 0 ? 1 : 3;
    for (int i = 0; i < 11; ++i) forest.AddOblivious(depth, (1 << depth) - 2 - i % 2);
    CheckOneRow(forest);
  }
}

// Eight to a word, their answers are their leaves.
TEST(ForestKernels, AnswerObliviousTreesForOneRow) {
  for (int most = 1; most <= 10; ++most) {
    Grown forest;
    for (int i = 0; i < 43; ++i) forest.AddOblivious(1 + i % most);
    for (int i = 0; i < 16; ++i) forest.AddOblivious(most);
    CheckOneRow(forest);
  }
}

// A column has 255 thresholds, of which one row is searched by its own.
TEST(ForestKernels, CountManyThresholdsForOneRow) {
  for (const std::int64_t thresholds : {15, 16, 17, 239, 240, 255, 256, 510, 511, 2000}) {
    Grown forest;
    forest.num_features = 2;
    forest.plain = true;
    forest.num_thresholds = thresholds;
    for (int i = 0; i < 120; ++i) forest.Add(40, false);
    CheckOneRow(forest);
  }
}

// It was a part of another kernel once, which never had its instruction set.
TEST(ForestKernels, HaveOneForFewRowsWhereTheProcessorHasBytePermutations) {
  if (!HasMasks()) GTEST_SKIP();
  Grown forest;
  for (int i = 0; i < 500; ++i) forest.AddOblivious(6);
  for (const std::int64_t rows : {1, 8, 65})
    EXPECT_EQ(KernelsFor<float>(forest, rows)[0],
              rows == 65 ? "TreeEnsemble.f32.bins.avx512" : "TreeEnsemble.f32.masks.avx512");
}

// Numbers beside a threshold, in f64 closer to it than f32 can say, and beyond what f32 holds.
TEST(ForestKernels, CompareNumbersExactly) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const std::vector<double> odd = {0, -0.0, kInf, -kInf, 1e300, -1e300, 1e-310, -1e-310, 1e-42};
  for (const double scale : {0.1, 1e-12, 1e-46}) {  // with the second, several in a gap of f32
    for (const std::int64_t thresholds : {14, 16, 200, 256, 500, 520}) {
      Grown forest;
      forest.num_features = 1;
      for (std::int64_t i = 0; i < thresholds; i += 20) {
        forest.Add(20, false);
        for (std::int64_t j = 0; j < 20; ++j) {
          const std::size_t at = forest.splits.size() - 20 + static_cast<std::size_t>(j);
          if (forest.modes[at] == 6) continue;
          forest.splits[at] = (scale < 0.01 ? 1 : 0) + static_cast<double>(i + j) * scale;
          if (j == 0 && i > 0)
            forest.splits[at] = odd[static_cast<std::size_t>(i / 20) % odd.size()];
        }
      }
      std::vector<double> wide;
      for (const double split : forest.splits) {
        for (const double x : {split, std::nextafter(split, kInf), std::nextafter(split, -kInf),
                               static_cast<double>(static_cast<float>(split))})
          wide.push_back(x);
      }
      wide.insert(wide.end(), odd.begin(), odd.end());
      const auto rows = static_cast<std::int64_t>(wide.size());
      const std::vector<float> narrow(wide.begin(), wide.end());
      EXPECT_GE(CheckKernels({.op = "TreeEnsemble",
                              .inputs = {Tensor::FromVector<double>({rows, 1}, wide)},
                              .attributes = forest.Attributes<double>(),
                              .tolerance = 0}),
                3);
      EXPECT_GE(CheckKernels({.op = "TreeEnsemble",
                              .inputs = {Tensor::FromVector<float>({rows, 1}, narrow)},
                              .attributes = forest.Attributes<float>(),
                              .tolerance = 0}),
                3);
    }
  }
}

// More thresholds than a byte counts: a feature then has several columns.
TEST(ForestKernels, CountManyThresholdsOfAFeature) {
  for (const std::int64_t thresholds : {255, 256, 300, 2000, 20000}) {
    Grown forest;
    forest.num_features = 1;
    forest.num_thresholds = thresholds;
    for (int i = 0; i < 60; ++i) forest.Add(200, false);
    forest.Check<float>(150);
    forest.Check<double>(150);
  }
}

TEST(ForestKernels, KeepTargetsApart) {
  for (const bool same : {true, false}) {
    Grown forest;
    forest.num_targets = 3;
    forest.same_target = same;
    for (int i = 0; i < 40; ++i) forest.Add(1 + i, false);
    forest.Add(300, false);
    forest.Add(7, false);
    for (const std::int64_t rows : {1, 70}) {
      forest.Check<float>(rows);
      forest.Check<double>(rows);
    }
  }
}

TEST(ForestKernels, AddLinearLeavesToTheBit) {
  Grown forest;
  for (int i = 1; i < 30; ++i) forest.Add(i, false);
  std::vector<double> constants, coefficients;
  Ints counts, features;
  for (std::size_t leaf = 0; leaf < forest.weights.size(); ++leaf) {
    constants.push_back(forest.weights[leaf] / 3);
    counts.push_back(forest.Pick(4));
    for (std::int64_t i = 0; i < counts.back(); ++i) {
      features.push_back(forest.Pick(forest.num_features));
      coefficients.push_back(static_cast<double>(forest.Pick(10007)) / 3e3 - 1);
    }
  }
  const auto check = [&]<class T>(T, std::int64_t rows) {
    AttrMap map = forest.Attributes<T>();
    const auto numbers = [](const std::vector<double>& values) {
      return Tensor::FromVector({static_cast<std::int64_t>(values.size())},
                                std::vector<T>(values.begin(), values.end()));
    };
    map.Set("leaf_constants", numbers(constants));
    map.Set("leaf_coefficients", numbers(coefficients));
    map.Set("leaf_feature_counts", counts);
    map.Set("leaf_features", features);
    EXPECT_EQ(CheckKernels({.op = "LinearTreeEnsemble",
                            .inputs = {forest.Rows<T>(rows)},
                            .attributes = map,
                            .tolerance = 0}),
              1);
  };
  for (const std::int64_t rows : {1, 70}) {
    check(1.0F, rows);
    check(1.0, rows);
  }
}

// Tables of one and of two values; hashes as the operator's definition gives them.
AttrMap TwoCombinations() {
  const auto mix = [](std::uint64_t hash, std::int64_t key) {
    constexpr std::uint64_t kFactor = 0x4906ba494954cb65;
    return kFactor * (hash + kFactor * static_cast<std::uint64_t>(key));
  };
  const auto first = static_cast<std::int64_t>(mix(0, -3));
  const auto second = static_cast<std::int64_t>(mix(mix(mix(0, 5), 1), 0));
  return {{"category_counts", Ints{1, 1}},
          {"categories", Ints{0, 1}},
          {"above_counts", Ints{0, 1}},
          {"above_features", Ints{0}},
          {"above_borders", Tensor::FromVector<float>({1}, {0.5F})},
          {"equal_counts", Ints{0, 1}},
          {"equal_categories", Ints{0}},
          {"equal_values", Ints{7}},
          {"entry_counts", Ints{1, 1}},
          {"hashes", Tensor::FromVector<std::int64_t>({2}, {first, second})},
          {"value_counts", Ints{1, 2}},
          {"values", Tensor::FromVector<float>({3}, {1, 2, 3})},
          {"defaults", Tensor::FromVector<float>({3}, {-1, -2, -3})}};
}

TEST(CombinationKernels, AgreeWithTheReferenceOnKnownAndUnknownCombinations) {
  for (const std::int64_t rows : {1, 63, 64, 65, 200}) {
    std::vector<std::int32_t> categories;
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < rows; ++i) {
      categories.push_back(i % 3 == 0 ? -3 : 7);
      categories.push_back(i % 2 == 0 ? 5 : 6);
      numbers.push_back(i % 5 == 0 ? std::nanf("") : static_cast<float>(i % 5) / 4);
    }
    EXPECT_EQ(CheckKernels({.op = "CombinationStatistics",
                            .inputs = {Tensor::FromVector({rows, 2}, categories),
                                       Tensor::FromVector({rows, 1}, numbers)},
                            .attributes = TwoCombinations(),
                            .tolerance = 0}),
              1);
  }
}

}  // namespace
}  // namespace athanor::kernels
