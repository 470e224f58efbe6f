// What a CatBoost file says, in whichever of its two forms. The readers check lengths and indices
// as far as they need them; what the parts mean together is checked where they are used.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::catboost {

// A column of numbers. Its splits compare with `borders`, ascending; without any it is not used.
struct FloatFeature {
  std::int64_t index = 0;       // among the columns of numbers
  std::int64_t flat_index = 0;  // among all columns
  std::string name = {};
  std::vector<float> borders = {};
  bool missing_is_largest = false;  // otherwise a missing number is the smallest
};

struct CategoryFeature {
  std::int64_t index = 0;  // among the columns of categories
  std::int64_t flat_index = 0;
  std::string name = {};
};

// Splits that ask whether the hash of a category is one of `values`.
struct OneHotFeature {
  std::int64_t category = 0;  // CategoryFeature::index
  std::vector<std::int32_t> values = {};
};

// Several categories, and answers to splits, that are counted together.
struct Combination {
  struct FloatSplit {
    std::int64_t feature = 0;  // FloatFeature::index
    float border = 0;
    auto operator<=>(const FloatSplit&) const = default;
  };
  struct EqualSplit {
    std::int64_t category = 0;
    std::int32_t value = 0;
    auto operator<=>(const EqualSplit&) const = default;
  };
  std::vector<std::int64_t> categories = {};
  std::vector<FloatSplit> float_splits = {};
  std::vector<EqualSplit> equal_splits = {};
  auto operator<=>(const Combination&) const = default;
};

// What is counted of a combination; the order of the file's numbers.
enum class Statistic : std::uint8_t {
  kBorders,              // share of rows whose class is above a border
  kBuckets,              // share of rows of a class
  kBinarizedTargetMean,  // mean of the target
  kFloatTargetMean,
  kCounter,  // share of rows
  kFeatureFrequency,
};
inline constexpr int kStatistics = 6;
// The others are of the target.
constexpr bool IsShareOfRows(Statistic statistic) {
  return statistic == Statistic::kCounter || statistic == Statistic::kFeatureFrequency;
}

// What a table counts, and by what a feature finds it.
struct Counted {
  Combination combination = {};
  Statistic statistic = Statistic::kBorders;
  std::int64_t target = 0;  // of several, the one whose classes or values are counted
  auto operator<=>(const Counted&) const = default;
};

// The counts of every combination that training saw: `width` numbers for each hash.
struct StatisticTable {
  Counted counted = {};
  std::vector<std::uint64_t> hashes = {};
  std::vector<double> counts = {};
  std::size_t width = 0;   // the mean has a sum and a count, a share of rows one count
  double denominator = 0;  // of a share of rows
};

// A column computed from such a table: ((count + prior) / (total + denominator) + shift) * scale.
struct StatisticFeature {
  Counted counted = {};
  std::int64_t target_border = 0;
  float prior = 0, prior_denominator = 1, shift = 0, scale = 1;
  std::vector<float> borders = {};
};

// Splits are numbers in the list of all: the borders of numbers, values of one-hot features and
// borders of statistics, in this order.
struct Tree {
  // Where every level has one split: the first decides the lowest bit of the leaf's number.
  std::vector<std::int64_t> level_splits = {};
  // Otherwise nodes, the root first. A child of -1 is the node's own leaf.
  struct Node {
    std::int64_t split = 0;
    std::int64_t left = -1, right = -1;
    std::int64_t leaf = 0;
  };
  std::vector<Node> nodes = {};
  std::vector<double> leaves = {};  // [leaf][dimension]
};

// The names of the classes by their number: integers or strings; both empty where the file has
// none.
struct ClassNames {
  std::vector<std::int64_t> integers = {};
  std::vector<std::string> strings = {};
};

struct Model {
  std::vector<FloatFeature> float_features = {};
  std::vector<CategoryFeature> category_features = {};
  std::vector<OneHotFeature> one_hot_features = {};
  std::vector<StatisticFeature> statistic_features = {};
  std::vector<StatisticTable> tables = {};
  std::vector<Tree> trees = {};
  std::int64_t dimension = 1;  // values per leaf
  double scale = 1;
  std::vector<double> bias = {};  // one per dimension
  std::string loss = {};
  ClassNames classes = {};
  double probability_border = 0.5;  // above it a row is of the second class
};

bool IsBinary(std::span<const std::uint8_t> bytes);
bool IsJson(std::span<const std::uint8_t> bytes);
Result<Model> ReadBinary(std::span<const std::uint8_t> bytes);
Result<Model> ReadJson(std::span<const std::uint8_t> bytes);

}  // namespace athanor::catboost
