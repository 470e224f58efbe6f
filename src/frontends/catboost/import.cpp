#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/catboost/catboost.h"
#include "frontends/catboost/model.h"
#include "frontends/catboost/statistics.h"
#include "frontends/tabular/columns.h"
#include "frontends/tabular/forest_builder.h"
#include "frontends/tabular/outputs.h"
#include "ops/catalog.h"

namespace athanor::catboost {
namespace {

using tabular::ForestBuilder;
using tabular::Link;

constexpr std::int64_t kMostDimensions = 1 << 16;

// ---- columns

// What the trees look at, side by side: the numbers, the hashes of one-hot categories, statistics.
struct Table {
  ValueId x = {};
  // By the number of a split: the column, and what it is compared with.
  struct Split {
    std::int64_t column = 0;
    tabular::Test test = tabular::Test::kGreater;
    double value = 0;
  };
  std::vector<Split> splits = {};
};

class Columns {
 public:
  Columns(Graph& graph, const Model& model) : graph_(graph), model_(model) {}

  Result<Table> Run() {
    ATH_RETURN_IF_ERROR(AddInputs());
    Table table;
    std::vector<ValueId> columns;
    ATH_RETURN_IF_ERROR(AddNumbers(table, columns));
    ATH_RETURN_IF_ERROR(AddOneHot(table, columns));
    if (!model_.statistic_features.empty()) ATH_RETURN_IF_ERROR(AddStatistics(table, columns));
    if (columns.empty()) return Unsupported("the model looks at no column");
    ATH_TRY(table.x, tabular::SideBySide(graph_, columns));
    return table;
  }

 private:
  // One input for each column, in the order of the table that the model was trained on.
  Status AddInputs() {
    struct Input {
      std::int64_t place = 0, index = 0;
      bool category = false, missing_is_largest = false;
      std::string name = {};
    };
    std::vector<Input> inputs;
    for (const FloatFeature& f : model_.float_features)
      inputs.push_back({f.flat_index, f.index, false, f.missing_is_largest, f.name});
    for (const CategoryFeature& f : model_.category_features)
      inputs.push_back({f.flat_index, f.index, true, false, f.name});
    std::stable_sort(inputs.begin(), inputs.end(),
                     [](const Input& a, const Input& b) { return a.place < b.place; });
    std::vector<std::string> names;
    for (Input& input : inputs) {
      // The library's own name for a column without one.
      if (input.name.empty()) input.name = std::to_string(input.place);
      names.push_back(input.name);
    }
    ATH_RETURN_IF_ERROR(tabular::CheckNames(names));
    for (const Input& input : inputs) {
      const DType dtype = input.category ? DType::kString : DType::kF32;
      ValueId column = graph_.AddInput(input.name, tabular::ColumnType(dtype));
      if (input.missing_is_largest) {
        ATH_TRY(column, MissingIsLargest(column));
      }
      auto& columns = input.category ? categories_ : numbers_;
      if (!columns.emplace(input.index, column).second)
        return InvalidModel("two columns have the index {}", input.index);
    }
    return {};
  }

  // NaN is below every border of itself, because no comparison with it holds.
  Result<ValueId> MissingIsLargest(ValueId column) {
    ATH_TRY(const ValueId missing, graph_.Add("IsNaN", {column}));
    const ValueId largest = graph_.AddConstant(
        tabular::NumberScalar(DType::kF32, std::numeric_limits<double>::infinity()));
    return graph_.Add("Where", {missing, largest, column});
  }

  void AddSplits(const std::vector<float>& borders, std::int64_t column, Table& table) {
    for (const float border : borders)
      table.splits.push_back({column, tabular::Test::kGreater, double{border}});
  }

  // Numbers and statistics are compared as f32, hashes as i32, leaves are added as f64, which holds
  // them all without rounding.
  Status AsDoubles(ValueId values, std::vector<ValueId>& columns) {
    ATH_TRY(const ValueId doubles, graph_.Add("Cast", {values}, {{"to", DType::kF64}}));
    columns.push_back(doubles);
    return {};
  }

  // Numbers that a split or a statistic looks at are those with borders.
  Status AddNumbers(Table& table, std::vector<ValueId>& columns) {
    std::vector<ValueId> used;
    for (const FloatFeature& feature : model_.float_features) {
      if (feature.borders.empty()) continue;
      inputs_.number_columns[feature.index] = width_;
      AddSplits(feature.borders, width_++, table);
      used.push_back(numbers_.at(feature.index));
    }
    if (used.empty()) return {};
    ATH_TRY(inputs_.numbers, tabular::SideBySide(graph_, used));
    return AsDoubles(*inputs_.numbers, columns);
  }

  // The hash of a category; each is computed once.
  Result<ValueId> HashOf(std::int64_t category) {
    const auto known = hashes_.find(category);
    if (known != hashes_.end()) return known->second;
    const auto column = categories_.find(category);
    if (column == categories_.end())
      return InvalidModel("there is no column of categories {}", category);
    ATH_TRY(const ValueId hash, graph_.Add("CategoryHash", {column->second}, {},
                                           graph_.value(column->second).name + ".hash"));
    hashes_.emplace(category, hash);
    return hash;
  }

  Status AddOneHot(Table& table, std::vector<ValueId>& columns) {
    std::vector<ValueId> used;
    for (const OneHotFeature& feature : model_.one_hot_features) {
      ATH_TRY(const ValueId hash, HashOf(feature.category));
      for (const std::int32_t value : feature.values)
        table.splits.push_back({width_, tabular::Test::kEqual, static_cast<double>(value)});
      used.push_back(hash);
      ++width_;
    }
    if (used.empty()) return {};
    ATH_TRY(const ValueId together, tabular::SideBySide(graph_, used));
    return AsDoubles(together, columns);
  }

  Status AddStatistics(Table& table, std::vector<ValueId>& columns) {
    std::vector<ValueId> hashes;
    const auto use = [&](std::int64_t category) -> Status {
      const auto column = static_cast<std::int64_t>(hashes.size());
      if (!inputs_.category_columns.emplace(category, column).second) return {};
      ATH_TRY(const ValueId hash, HashOf(category));
      hashes.push_back(hash);
      return {};
    };
    for (const StatisticFeature& feature : model_.statistic_features) {
      for (const std::int64_t category : feature.counted.combination.categories)
        ATH_RETURN_IF_ERROR(use(category));
      for (const Combination::EqualSplit& split : feature.counted.combination.equal_splits)
        ATH_RETURN_IF_ERROR(use(split.category));
    }
    if (hashes.empty()) return InvalidModel("no statistic is of a category");
    ATH_TRY(inputs_.categories, tabular::SideBySide(graph_, hashes));
    ATH_TRY(const Statistics statistics, catboost::AddStatistics(graph_, model_, inputs_));
    for (std::size_t i = 0; i < model_.statistic_features.size(); ++i)
      AddSplits(model_.statistic_features[i].borders, width_ + statistics.columns[i], table);
    return AsDoubles(statistics.values, columns);
  }

  Graph& graph_;
  const Model& model_;
  std::map<std::int64_t, ValueId> numbers_, categories_, hashes_;  // by index
  StatisticInputs inputs_;
  std::int64_t width_ = 0;  // of the table so far
};

// ---- trees

class Forest {
 public:
  Forest(const Model& model, const std::vector<Table::Split>& splits)
      : model_(model), splits_(splits) {}

  // A tree per dimension: the leaves of the operator have one value.
  Status Add(const Tree& tree) {
    const auto dimensions = static_cast<std::size_t>(model_.dimension);
    for (std::size_t i = 0; i < dimensions; ++i) {
      ATH_TRY(const ForestBuilder::Ref root, tree.nodes.empty() ? Levels(tree, i) : Nodes(tree, i));
      forest_.AddTree(root);
    }
    return {};
  }
  // Where there is no tree the sum is 0.
  void AddNothing() {
    for (std::int64_t i = 0; i < model_.dimension; ++i) forest_.AddTree(forest_.AddLeaf(i, 0));
  }
  const ForestBuilder& builder() const { return forest_; }

 private:
  Result<ForestBuilder::Node> NodeOf(std::int64_t split) const {
    if (split < 0 || split >= static_cast<std::int64_t>(splits_.size()))
      return InvalidModel("split {} does not exist; there are {}", split, splits_.size());
    const Table::Split& asked = splits_[static_cast<std::size_t>(split)];
    return ForestBuilder::Node{.feature = asked.column, .test = asked.test, .value = asked.value};
  }
  ForestBuilder::Ref LeafOf(const Tree& tree, std::size_t leaf, std::size_t dimension) {
    const auto dimensions = static_cast<std::size_t>(model_.dimension);
    return forest_.AddLeaf(static_cast<std::int64_t>(dimension),
                           tree.leaves[leaf * dimensions + dimension]);
  }

  // The last split decides the highest bit of the leaf: as the root it keeps leaves in order.
  Result<ForestBuilder::Ref> Levels(const Tree& tree, std::size_t dimension) {
    const std::size_t levels = tree.level_splits.size();
    if (levels > 30 || tree.leaves.size() != static_cast<std::size_t>(model_.dimension) << levels)
      return InvalidModel("{} levels have {} values; {} per leaf are expected", levels,
                          tree.leaves.size(), model_.dimension);
    std::vector<ForestBuilder::Ref> below;
    for (std::size_t leaf = 0; leaf < std::size_t{1} << levels; ++leaf)
      below.push_back(LeafOf(tree, leaf, dimension));
    for (const std::int64_t split : tree.level_splits) {
      ATH_TRY(ForestBuilder::Node node, NodeOf(split));
      for (std::size_t i = 0; i < below.size() / 2; ++i) {
        node.no = below[2 * i];
        node.yes = below[2 * i + 1];
        below[i] = forest_.AddNode(node);
      }
      below.resize(below.size() / 2);
    }
    return below[0];
  }

  Result<ForestBuilder::Ref> Nodes(const Tree& tree, std::size_t dimension) {
    std::vector<ForestBuilder::Ref> refs;
    for (const Tree::Node& node : tree.nodes) {
      const bool leaf = node.left < 0 && node.right < 0;
      refs.push_back(leaf ? LeafOf(tree, static_cast<std::size_t>(node.leaf), dimension)
                          : forest_.Reserve(1));
    }
    for (std::size_t i = 0; i < refs.size(); ++i) {
      if (refs[i].leaf) continue;
      const Tree::Node& from = tree.nodes[i];
      ATH_TRY(ForestBuilder::Node node, NodeOf(from.split));
      const auto child = [&](std::int64_t at) {
        return at < 0 ? LeafOf(tree, static_cast<std::size_t>(from.leaf), dimension)
                      : refs[static_cast<std::size_t>(at)];
      };
      node.no = child(from.left);
      node.yes = child(from.right);
      forest_.node(refs[i]) = std::move(node);
    }
    return refs[0];
  }

  const Model& model_;
  const std::vector<Table::Split>& splits_;
  ForestBuilder forest_;
};

Result<ValueId> AddTrees(Graph& graph, const Model& model, const Table& table) {
  Forest forest(model, table.splits);
  std::vector<Status> problems;
  for (std::size_t i = 0; i < model.trees.size() && problems.size() < 16; ++i) {
    Status status = forest.Add(model.trees[i]);
    if (!status.ok()) problems.push_back(std::move(status).In(fmt::format("tree {}", i)));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  if (model.trees.empty()) forest.AddNothing();
  return forest.builder().Build(graph, table.x, model.dimension);
}

Result<ValueId> ScaleAndBias(Graph& graph, const Model& model, ValueId sum) {
  if (!model.bias.empty() && model.bias.size() != static_cast<std::size_t>(model.dimension))
    return InvalidModel("{} biases are given for {} outputs", model.bias.size(), model.dimension);
  if (model.scale != 1) {
    const ValueId scale = graph.AddConstant(tabular::NumberScalar(DType::kF64, model.scale));
    ATH_TRY(sum, graph.Add("Mul", {sum, scale}, {}, "score"));
  }
  const bool moved =
      std::any_of(model.bias.begin(), model.bias.end(), [](double bias) { return bias != 0; });
  if (!moved) return sum;
  const ValueId bias = graph.AddConstant(tabular::NumbersTensor(DType::kF64, model.bias));
  return graph.Add("Add", {sum, bias}, {}, "score");
}

// ---- outputs

struct Loss {
  std::string_view name;
  Link link;
};
// Of all others the library gives the score itself.
constexpr std::array kLosses = {
    Loss{"CrossEntropy", Link::kBinaryLogistic},
    Loss{"Focal", Link::kBinaryLogistic},
    Loss{"Logloss", Link::kBinaryLogistic},
    Loss{"MultiClass", Link::kSoftmax},
    Loss{"MultiClassOneVsAll", Link::kOneVersusAll},
    Loss{"MultiCrossEntropy", Link::kBinaryLogistic},
    Loss{"MultiLogloss", Link::kBinaryLogistic},
    Loss{"Poisson", Link::kExp},
    Loss{"Tweedie", Link::kExp},
};

// The mean, and the variance, whose square root has the second score as its logarithm.
Status AddMeanAndVariance(Graph& graph, ValueId score) {
  const auto column = [&](std::int64_t at) {
    return graph.Add("Gather",
                     {score, graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {at}))},
                     {{"axis", std::int64_t{1}}});
  };
  ATH_TRY(const ValueId mean, column(0));
  ATH_TRY(const ValueId log_deviation, column(1));
  const ValueId two = graph.AddConstant(tabular::NumberScalar(DType::kF64, 2));
  ATH_TRY(const ValueId log_variance, graph.Add("Mul", {log_deviation, two}));
  ATH_TRY(const ValueId variance, graph.Add("Exp", {log_variance}));
  ATH_TRY(const ValueId both, tabular::SideBySide(graph, {mean, variance}));
  graph.AddOutput("prediction", both);
  return {};
}

Status AddOutputs(Graph& graph, const Model& model, ValueId score) {
  if (model.loss == "RMSEWithUncertainty" && model.dimension == 2)
    return AddMeanAndVariance(graph, score);
  const auto* loss = std::find_if(kLosses.begin(), kLosses.end(),
                                  [&](const Loss& known) { return known.name == model.loss; });
  tabular::OutputForm form = {.link = loss == kLosses.end() ? Link::kIdentity : loss->link};
  // The library decides by the score, not by the probability, which may be rounded to 1/2.
  const double border = model.probability_border;
  form.score_border = border == 0.5 ? 0 : -std::log(1 / border - 1);
  const ClassNames& names = model.classes;
  const bool classes = form.link == Link::kSoftmax || form.link == Link::kOneVersusAll ||
                       (form.link == Link::kBinaryLogistic && model.dimension == 1);
  const std::size_t named = std::max(names.integers.size(), names.strings.size());
  const auto expected = static_cast<std::size_t>(std::max<std::int64_t>(2, model.dimension));
  if (classes && named == expected) {
    const Dims dims = {static_cast<std::int64_t>(named)};
    form.labels = names.strings.empty() ? Tensor::FromVector(dims, names.integers)
                                        : Tensor::FromVector(dims, names.strings);
  }
  return tabular::AddOutputs(graph, score, form);
}

}  // namespace

bool IsCatboost(std::span<const std::uint8_t> bytes) { return IsBinary(bytes) || IsJson(bytes); }

Result<Graph> Import(std::span<const std::uint8_t> bytes) {
  ATH_TRY(const Model model, IsBinary(bytes) ? ReadBinary(bytes) : ReadJson(bytes));
  if (model.dimension > kMostDimensions)
    return Unsupported("leaves of {} values; {} are accepted", model.dimension, kMostDimensions);
  Graph graph(ops::Standard(), "catboost");
  ATH_TRY(const Table table, Columns(graph, model).Run());
  ATH_TRY(const ValueId sum, AddTrees(graph, model, table));
  ATH_TRY(const ValueId score, ScaleAndBias(graph, model, sum));
  ATH_RETURN_IF_ERROR(AddOutputs(graph, model, score));
  return graph;
}

}  // namespace athanor::catboost
