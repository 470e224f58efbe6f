#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/tabular/columns.h"
#include "frontends/tabular/document.h"
#include "frontends/tabular/forest_builder.h"
#include "frontends/tabular/outputs.h"
#include "frontends/xgboost/legacy.h"
#include "frontends/xgboost/xgboost.h"
#include "ops/catalog.h"

namespace athanor::xgboost {
namespace {

using tabular::ForestBuilder;
using tabular::Integer;
using tabular::Link;
using tabular::Member;
using tabular::Numbers;
using tabular::Object;
using tabular::Strings;
using tabular::Value;

constexpr std::int64_t kMostFeatures = 1 << 20;
constexpr std::int64_t kMostGroups = 1 << 16;

// ---- objectives

struct Objective {
  std::string_view name;
  Link link;
  // How base_score, a prediction, becomes what the trees add to.
  double (*margin)(double) = [](double base) { return base; };
};
double Logit(double p) { return -std::log(1 / p - 1); }
double Log(double x) { return std::log(x); }

constexpr std::array kObjectives = {
    Objective{"binary:hinge", Link::kHinge},
    Objective{"binary:logistic", Link::kBinaryLogistic, Logit},
    Objective{"binary:logitraw", Link::kIdentity},
    Objective{"count:poisson", Link::kExp, Log},
    Objective{"multi:softmax", Link::kSoftmaxLabel},
    Objective{"multi:softprob", Link::kSoftmax},
    Objective{"rank:map", Link::kIdentity},
    Objective{"rank:ndcg", Link::kIdentity},
    Objective{"rank:pairwise", Link::kIdentity},
    Objective{"reg:absoluteerror", Link::kIdentity},
    Objective{"reg:expectileerror", Link::kIdentity},
    Objective{"reg:gamma", Link::kExp, Log},
    Objective{"reg:linear", Link::kIdentity},  // what old versions called reg:squarederror
    Objective{"reg:logistic", Link::kLogistic, Logit},
    Objective{"reg:pseudohubererror", Link::kIdentity},
    Objective{"reg:quantileerror", Link::kIdentity},
    Objective{"reg:squarederror", Link::kIdentity},
    Objective{"reg:squaredlogerror", Link::kIdentity},
    Objective{"reg:tweedie", Link::kExp, Log},
    Objective{"survival:aft", Link::kExp, Log},
    Objective{"survival:cox", Link::kExp, Log},
};

Result<const Objective*> FindObjective(const Value& learner) {
  ATH_TRY(const Value* object, Object(learner, "objective"));
  ATH_TRY(const Value* name, Member(*object, "name", Value::Kind::kString));
  std::vector<std::string> known;
  for (const Objective& objective : kObjectives) {
    if (objective.name == name->text) return &objective;
    known.emplace_back(objective.name);
  }
  return Unsupported("objective {} is not implemented; {} are", Quote(name->text),
                     Join(known, ", "));
}

// ---- what the file says about the whole model

struct Learner {
  const Objective* objective = nullptr;
  std::int64_t features = 0;
  std::int64_t groups = 1;     // scores per row
  std::vector<double> margin;  // one per group
  std::vector<std::string> names, types;
  bool counts_characters = false;  // see CountsCharacters
};

// "[5E-1]", "[1,2]" or, in older files, "5E-1".
Result<std::vector<double>> BaseScores(std::string_view text) {
  std::vector<double> scores;
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    double score = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
    if (error != std::errc()) return InvalidModel("base_score is no number");
    scores.push_back(static_cast<float>(score));
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  return scores;
}

// `base_is_margin`: the base score is what the trees add to.
Result<Learner> ReadLearner(const Value& root, bool base_is_margin) {
  Learner learner;
  ATH_TRY(learner.objective, FindObjective(root));
  ATH_TRY(const Value* param, Object(root, "learner_model_param"));
  ATH_TRY(learner.features, Integer(*param, "num_feature", 0));
  if (learner.features < 1 || learner.features > kMostFeatures)
    return InvalidModel("num_feature is {}; 1 to {} is accepted", learner.features, kMostFeatures);
  ATH_TRY(const std::int64_t classes, Integer(*param, "num_class", 0));
  ATH_TRY(const std::int64_t targets, Integer(*param, "num_target", 1));
  learner.groups = std::max<std::int64_t>({1, classes, targets});
  if (learner.groups > kMostGroups || (classes > 1 && targets > 1)) {
    return Unsupported("{} classes and {} targets; one of them up to {} is accepted", classes,
                       targets, kMostGroups);
  }
  const Value* base = param->Find("base_score");
  if (base == nullptr) return InvalidModel("there is no \"base_score\"");
  ATH_TRY(learner.margin, BaseScores(base->text));
  if (learner.margin.size() == 1)
    learner.margin.resize(static_cast<std::size_t>(learner.groups), learner.margin[0]);
  if (learner.margin.size() != static_cast<std::size_t>(learner.groups)) {
    return InvalidModel("{} base scores are given for {} outputs", learner.margin.size(),
                        learner.groups);
  }
  if (!base_is_margin) {
    for (double& margin : learner.margin)
      margin = static_cast<float>(learner.objective->margin(margin));
  }
  ATH_TRY(learner.names, Strings(root, "feature_names"));
  ATH_TRY(learner.types, Strings(root, "feature_types"));
  for (const std::vector<std::string>* list : {&learner.names, &learner.types}) {
    if (!list->empty() && list->size() != static_cast<std::size_t>(learner.features)) {
      return InvalidModel("{} feature names or types are given for {} features", list->size(),
                          learner.features);
    }
  }
  ATH_RETURN_IF_ERROR(tabular::CheckNames(learner.names));
  return learner;
}

// ---- columns

// XGBoost before 3.4 counts the offsets of names from pandas in characters and cuts as many bytes
// off their UTF-8. Beyond ASCII such names are other ones, mostly still good UTF-8 ("Züric"), and
// nothing in the file tells them from those of other tables, which are right. What has no version
// is taken as old.
bool CountsCharacters(const Value& root) {
  constexpr std::pair<double, double> kMended = {3, 4};
  const Value* version = root.Find("version");
  return version == nullptr || version->numbers.size() < 2 ||
         std::pair(version->numbers[0], version->numbers[1]) < kMended;
}

Status CheckNamesOfCategories(const Learner& learner, const std::vector<std::string>& names,
                              std::string_view feature) {
  const auto is_good = [&](const std::string& name) {
    if (!learner.counts_characters) return simdjson::validate_utf8(name);
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  };
  if (std::all_of(names.begin(), names.end(), is_good)) return {};
  return InvalidModel(
             "feature {} has names of categories beyond ASCII, which XGBoost before 3.4 writes "
             "broken: offsets count characters, the text is in bytes and its end is cut off; "
             "which names were meant cannot be told",
             Quote(feature))
      .Fix(
          "train with category names in ASCII or with numbers for categories, or with XGBoost "
          "3.4 or newer");
}

// The categories of one feature: strings as offsets into bytes, or numbers. Empty: no category.
struct Categories {
  std::vector<std::string> strings;
  std::vector<double> numbers;
};

Result<Categories> ReadCategories(const Value& encoding) {
  Categories categories;
  ATH_TRY(const std::span<const double> values, Numbers(encoding, "values"));
  if (encoding.Find("offsets") == nullptr) {
    categories.numbers.assign(values.begin(), values.end());
    return categories;
  }
  ATH_TRY(const std::span<const double> offsets, Numbers(encoding, "offsets"));
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    const double begin = offsets[i], end = offsets[i + 1];
    if (!(begin >= 0 && begin <= end && end <= static_cast<double>(values.size())))
      return InvalidModel("the offsets of the categories are out of range");
    std::string name;
    for (auto at = static_cast<std::size_t>(begin); at < static_cast<std::size_t>(end); ++at)
      name.push_back(
          static_cast<char>(static_cast<std::int64_t>(std::clamp(values[at], -128.0, 255.0))));
    categories.strings.push_back(std::move(name));
  }
  return categories;
}

// The matrix that the trees look at: f32 [rows, features].
Result<ValueId> AddColumns(Graph& graph, const Learner& learner, const Value& model) {
  if (learner.names.empty()) {
    return graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), learner.features}));
  }
  const Value* cats = model.Find("cats");
  const Value* encodings = cats == nullptr ? nullptr : cats->Find("enc");
  const std::size_t given = encodings == nullptr ? 0 : encodings->items.size();
  if (given != 0 && given != learner.names.size())
    return InvalidModel("categories are given for {} of {} features", given, learner.names.size());
  std::vector<ValueId> columns;
  for (std::size_t i = 0; i < learner.names.size(); ++i) {
    Categories categories;
    if (given != 0) {
      ATH_TRY(categories, ReadCategories(encodings->items[i]));
      ATH_RETURN_IF_ERROR(CheckNamesOfCategories(learner, categories.strings, learner.names[i]));
    }
    const DType dtype = categories.strings.empty() ? DType::kF32 : DType::kString;
    ValueId column = graph.AddInput(learner.names[i], tabular::ColumnType(dtype));
    if (!categories.strings.empty()) {
      ATH_TRY(column, tabular::CodesOfStrings(graph, column, DType::kF32, categories.strings,
                                              std::nan("")));
    } else if (!categories.numbers.empty()) {
      ATH_TRY(column, tabular::CodesOfNumbers(graph, column, categories.numbers, std::nan("")));
    }
    columns.push_back(column);
  }
  return tabular::SideBySide(graph, columns);
}

// ---- trees

// One tree as the file has it: arrays over its nodes.
struct Tree {
  std::span<const double> left, right, feature, condition, default_left, type;
  std::span<const double> categories, category_nodes, category_begins, category_sizes;
  // Of leaves of several values: all of them, one behind the other.
  std::int64_t leaf_size = 1;
  std::span<const double> leaf_values;
  bool leaves_are_numbered = false;  // in `right`; otherwise every node has values
};

Status ReadLeafVectors(const Value& value, std::int64_t groups, Tree& tree) {
  if (tree.leaf_size <= 1) return {};
  if (tree.leaf_size != groups)
    return InvalidModel("leaves of {} values for {} outputs", tree.leaf_size, groups);
  // Since version 3.1 in a list of their own; before, every node has its weights.
  tree.leaves_are_numbered = value.Find("leaf_weights") != nullptr;
  ATH_TRY(tree.leaf_values,
          Numbers(value, tree.leaves_are_numbered ? "leaf_weights" : "base_weights"));
  return {};
}

Result<Tree> ReadTree(const Value& value, std::int64_t groups) {
  Tree tree;
  ATH_TRY(const Value* param, Object(value, "tree_param"));
  ATH_TRY(tree.leaf_size, Integer(*param, "size_leaf_vector", 1));
  ATH_RETURN_IF_ERROR(ReadLeafVectors(value, groups, tree));
  ATH_TRY(tree.left, Numbers(value, "left_children"));
  ATH_TRY(tree.right, Numbers(value, "right_children"));
  ATH_TRY(tree.feature, Numbers(value, "split_indices"));
  ATH_TRY(tree.condition, Numbers(value, "split_conditions"));
  // Old files have booleans here.
  const Value* defaults = value.Find("default_left");
  if (defaults == nullptr || defaults->kind != Value::Kind::kNumbers)
    return Unsupported("\"default_left\" is no list of numbers, as XGBoost 1.6 and newer write it");
  tree.default_left = defaults->numbers;
  if (value.Find("split_type") != nullptr) {
    ATH_TRY(tree.type, Numbers(value, "split_type"));
    ATH_TRY(tree.categories, Numbers(value, "categories"));
    ATH_TRY(tree.category_nodes, Numbers(value, "categories_nodes"));
    ATH_TRY(tree.category_begins, Numbers(value, "categories_segments"));
    ATH_TRY(tree.category_sizes, Numbers(value, "categories_sizes"));
  }
  const std::size_t nodes = tree.left.size();
  const auto fits = [&](std::span<const double> list) { return list.size() == nodes; };
  if (nodes == 0 || !fits(tree.right) || !fits(tree.feature) || !fits(tree.condition) ||
      !fits(tree.default_left) || (!tree.type.empty() && !fits(tree.type)))
    return InvalidModel("the lists of the nodes differ in length");
  if (tree.leaf_size > 1 &&
      tree.leaf_values.size() / static_cast<std::size_t>(tree.leaf_size) < (nodes + 1) / 2)
    return InvalidModel("{} values are given for the leaves of {} nodes", tree.leaf_values.size(),
                        nodes);
  if (tree.category_begins.size() != tree.category_nodes.size() ||
      tree.category_sizes.size() != tree.category_nodes.size())
    return InvalidModel("the lists of the categories differ in length");
  // The nodes' categories do not overlap: a small file cannot ask for much memory.
  double categories_left = static_cast<double>(tree.categories.size());
  for (const double size : tree.category_sizes) {
    categories_left -= size;
    if (!(size >= 0 && categories_left >= 0))
      return InvalidModel("the nodes have more categories than are listed");
  }
  return tree;
}

// The categories of node `at` that go right.
Result<std::vector<double>> CategoriesOf(const Tree& tree, std::size_t at) {
  const auto found = std::lower_bound(tree.category_nodes.begin(), tree.category_nodes.end(),
                                      static_cast<double>(at));
  if (found == tree.category_nodes.end() || *found != static_cast<double>(at))
    return InvalidModel("node {} splits by category but has no categories", at);
  const auto index = static_cast<std::size_t>(found - tree.category_nodes.begin());
  const double begin = tree.category_begins[index], size = tree.category_sizes[index];
  if (!(begin >= 0 && size >= 0 && begin + size <= static_cast<double>(tree.categories.size())))
    return InvalidModel("the categories of node {} are out of range", at);
  const auto from = tree.categories.begin() + static_cast<std::ptrdiff_t>(begin);
  return std::vector<double>(from, from + static_cast<std::ptrdiff_t>(size));
}

// What leaf `at` adds to an output.
Result<float> LeafValue(const Tree& tree, std::size_t at, std::int64_t group) {
  if (tree.leaf_size <= 1) return static_cast<float>(tree.condition[at]);
  const double leaf = tree.leaves_are_numbered ? tree.right[at] : static_cast<double>(at);
  const double last = leaf * static_cast<double>(tree.leaf_size) + static_cast<double>(group);
  if (!(leaf >= 0 && last < static_cast<double>(tree.leaf_values.size())))
    return InvalidModel("leaf {} has no values", at);
  return static_cast<float>(tree.leaf_values[static_cast<std::size_t>(last)]);
}

// Adds the tree for one output; its leaves count `weight` times.
Status AddTree(ForestBuilder& forest, const Tree& tree, std::int64_t group, float weight,
               std::int64_t features) {
  const std::size_t count = tree.left.size();
  std::vector<ForestBuilder::Ref> refs(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!(tree.left[i] < 0)) {
      refs[i] = forest.Reserve(1);
      continue;
    }
    ATH_TRY(const float value, LeafValue(tree, i, group));
    refs[i] = forest.AddLeaf(group, value * weight);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (refs[i].leaf) continue;
    const double left = tree.left[i], right = tree.right[i], feature = tree.feature[i];
    if (!(left < static_cast<double>(count) && right >= 0 && right < static_cast<double>(count)))
      return InvalidModel("node {} has a child that does not exist", i);
    if (!(feature >= 0 && feature < static_cast<double>(features)))
      return InvalidModel("node {} looks at feature {} of {}", i, feature, features);
    ForestBuilder::Node& node = forest.node(refs[i]);
    node.feature = static_cast<std::int64_t>(feature);
    node.yes = refs[static_cast<std::size_t>(left)];
    node.no = refs[static_cast<std::size_t>(right)];
    node.missing_is_yes = tree.default_left[i] != 0;
    node.value = static_cast<float>(tree.condition[i]);
    if (tree.type.empty() || tree.type[i] == 0) continue;
    // Categories of the set go right.
    ATH_TRY(node.members, CategoriesOf(tree, i));
    node.test = tabular::Test::kMember;
    node.value = 0;
    std::swap(node.yes, node.no);
    node.missing_is_yes = !node.missing_is_yes;
  }
  forest.AddTree(refs[0]);
  return {};
}

// How many of the trees count. After early stopping the library's predictors use those up to the
// best iteration.
Result<std::size_t> CountedTrees(const Learner& learner, const Value& root, const Value& model,
                                 std::size_t trees) {
  const Value* attributes = root.Find("attributes");
  if (attributes == nullptr || attributes->Find("best_iteration") == nullptr) return trees;
  ATH_TRY(const std::int64_t best, Integer(*attributes, "best_iteration", 0));
  ATH_TRY(const Value* param, Object(model, "gbtree_model_param"));
  ATH_TRY(const std::int64_t parallel, Integer(*param, "num_parallel_tree", 1));
  if (best < 0 || parallel < 1) return InvalidModel("best_iteration is {}", best);
  const std::int64_t iterations = 1 + std::min(best, static_cast<std::int64_t>(trees));
  const auto per_iteration = CheckedMul(parallel, learner.groups);
  const auto counted = per_iteration ? CheckedMul(*per_iteration, iterations) : std::nullopt;
  if (!counted || *counted > static_cast<std::int64_t>(trees)) return trees;
  return static_cast<std::size_t>(*counted);
}

Result<ForestBuilder> ReadForest(const Learner& learner, const Value& root, const Value& model,
                                 std::span<const double> tree_weights) {
  ATH_TRY(const Value* trees, Member(model, "trees", Value::Kind::kArray));
  ATH_TRY(const std::span<const double> groups, Numbers(model, "tree_info"));
  if (groups.size() != trees->items.size() ||
      (!tree_weights.empty() && tree_weights.size() != groups.size()))
    return InvalidModel("{} trees, but {} groups", trees->items.size(), groups.size());
  ForestBuilder forest;
  // The library adds the trees to the base score one by one, and so does a first tree of one leaf.
  for (std::size_t group = 0; group < learner.margin.size(); ++group)
    forest.AddTree(forest.AddLeaf(static_cast<std::int64_t>(group), learner.margin[group]));
  ATH_TRY(const std::size_t counted, CountedTrees(learner, root, model, trees->items.size()));
  std::size_t nodes = 0;
  for (const Value& tree : trees->items) {
    const Value* const children = tree.Find("left_children");
    nodes += children == nullptr ? 0 : children->numbers.size();
  }
  forest.Expect(nodes / 2, nodes / 2 + trees->items.size());
  std::vector<Status> problems;
  for (std::size_t i = 0; i < counted; ++i) {
    const auto add = [&]() -> Status {
      if (!(groups[i] >= 0 && groups[i] < static_cast<double>(learner.groups)))
        return InvalidModel("output {} does not exist", groups[i]);
      ATH_TRY(const Tree tree, ReadTree(trees->items[i], learner.groups));
      const float weight = tree_weights.empty() ? 1.0F : static_cast<float>(tree_weights[i]);
      if (tree.leaf_size <= 1)
        return AddTree(forest, tree, static_cast<std::int64_t>(groups[i]), weight,
                       learner.features);
      for (std::int64_t group = 0; group < learner.groups; ++group)
        ATH_RETURN_IF_ERROR(AddTree(forest, tree, group, weight, learner.features));
      return {};
    };
    Status status = add();
    if (!status.ok()) problems.push_back(std::move(status).In(fmt::format("tree {}", i)));
    if (problems.size() == 16) break;
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  return forest;
}

// The weights of a linear booster lie feature by feature, the biases behind them. A tree of one
// linear leaf adds in the library's order; what is missing adds nothing. Every output begins with
// the first base score, also where the file has one for each: so the library has it (3.2).
Result<ValueId> AddLinear(Graph& graph, const Learner& learner, const Value& model, ValueId x) {
  ATH_TRY(const std::span<const double> weights, Numbers(model, "weights"));
  const auto expected = CheckedMul(learner.features + 1, learner.groups);
  if (!expected || weights.size() != static_cast<std::size_t>(*expected))
    return InvalidModel("{} weights are given for {} features and {} outputs", weights.size(),
                        learner.features, learner.groups);
  const auto weight = [&](std::int64_t feature, std::int64_t group) {
    return weights[static_cast<std::size_t>(feature * learner.groups + group)];
  };
  ForestBuilder forest;
  for (std::int64_t group = 0; group < learner.groups; ++group) {
    std::vector<ForestBuilder::Term> terms;
    for (std::int64_t i = 0; i < learner.features; ++i) terms.push_back({i, weight(i, group)});
    const float begin =
        static_cast<float>(weight(learner.features, group)) + static_cast<float>(learner.margin[0]);
    forest.AddTree(forest.AddLinearLeaf(group, begin, begin, std::move(terms)));
  }
  ATH_TRY(const ValueId missing, graph.Add("IsNaN", {x}));
  const ValueId zero = graph.AddConstant(tabular::NumberScalar(DType::kF32, 0));
  ATH_TRY(const ValueId numbers, graph.Add("Where", {missing, zero, x}));
  return forest.Build(graph, numbers, learner.groups);
}

Result<ValueId> AddTrees(Graph& graph, const Learner& learner, const Value& top,
                         const Value& booster, bool dart) {
  std::span<const double> tree_weights;
  const Value* holder = &booster;
  if (dart) {
    ATH_TRY(holder, Object(booster, "gbtree"));
    ATH_TRY(tree_weights, Numbers(booster, "weight_drop"));
  }
  ATH_TRY(const Value* model, Object(*holder, "model"));
  // Newer files keep the weights of dart with the trees.
  if (model->Find("weight_drop") != nullptr) {
    ATH_TRY(tree_weights, Numbers(*model, "weight_drop"));
  }
  ATH_TRY(const ForestBuilder forest, ReadForest(learner, top, *model, tree_weights));
  ATH_TRY(const ValueId x, AddColumns(graph, learner, *model));
  return forest.Build(graph, x, learner.groups);
}

Result<Graph> Make(const Value& root, bool base_is_margin) {
  ATH_TRY(const Value* top, Object(root, "learner"));
  ATH_TRY(Learner learner, ReadLearner(*top, base_is_margin));
  learner.counts_characters = CountsCharacters(root);
  ATH_TRY(const Value* booster, Object(*top, "gradient_booster"));
  ATH_TRY(const Value* name, Member(*booster, "name", Value::Kind::kString));
  Graph graph(ops::Standard(), "xgboost");
  ValueId margin = {};
  if (name->text == "gblinear") {
    ATH_TRY(const Value* model, Object(*booster, "model"));
    ATH_TRY(const ValueId x, AddColumns(graph, learner, *model));
    ATH_TRY(margin, AddLinear(graph, learner, *model, x));
  } else if (name->text == "gbtree" || name->text == "dart") {
    ATH_TRY(margin, AddTrees(graph, learner, *top, *booster, name->text == "dart"));
  } else {
    return Unsupported("booster {} is not implemented; gbtree, dart and gblinear are",
                       Quote(name->text));
  }
  ATH_RETURN_IF_ERROR(tabular::AddOutputs(graph, margin, {.link = learner.objective->link}));
  return graph;
}

}  // namespace

bool IsXgboost(std::span<const std::uint8_t> bytes) {
  if (IsLegacy(bytes)) return true;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 256));
  return head.substr(0, head.find_first_not_of(" \t\r\n") + 1).ends_with('{') &&
         head.find("learner") != std::string_view::npos;
}

Result<Graph> Import(std::span<const std::uint8_t> bytes) {
  if (IsLegacy(bytes)) {
    ATH_TRY(const LegacyFile file, ReadLegacy(bytes));
    return Make(file.root, file.base_is_margin);
  }
  // After the brace JSON has a quote, UBJSON the type of a length.
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t next = text.find_first_not_of(" \t\r\n{");
  const bool json = next != std::string_view::npos && text[next] == '"';
  constexpr std::string_view kOfTraining[] = {"loss_changes", "parents", "sum_hessian"};
  ATH_TRY(const Value root,
          json ? tabular::ParseJson(bytes, kOfTraining) : tabular::ParseUbjson(bytes));
  // A pickled booster holds its configuration too.
  const Value* model = root.Find("Model");
  return Make(model == nullptr ? root : *model, false);
}

}  // namespace athanor::xgboost
