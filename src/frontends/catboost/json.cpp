// model.json, as CatBoost writes it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/catboost/information.h"

namespace athanor::catboost {
namespace {

using tabular::Integer;
using tabular::Member;
using tabular::Numbers;
using tabular::Object;
using tabular::Value;

// The items of a list of objects; none where the member is absent.
std::span<const Value> Items(const Value& object, std::string_view name) {
  const Value* value = object.Find(name);
  return value == nullptr ? std::span<const Value>() : std::span<const Value>(value->items);
}

std::string Text(const Value& object, std::string_view name) {
  const Value* value = object.Find(name);
  return value == nullptr ? "" : value->text;
}

Result<float> Real(const Value& object, std::string_view name) {
  ATH_TRY(const Value* value, Member(object, name, Value::Kind::kNumber));
  return static_cast<float>(value->number);
}

// A hash of 32 bits, which the files write as a signed integer.
Result<std::int32_t> Hash(double number) {
  if (number >= std::numeric_limits<std::int32_t>::min() &&
      number <= std::numeric_limits<std::int32_t>::max() && number == std::floor(number))
    return static_cast<std::int32_t>(number);
  return InvalidModel("{} is no hash of a category", number);
}

std::vector<float> Floats(std::span<const double> numbers) {
  std::vector<float> floats;
  floats.reserve(numbers.size());
  for (const double number : numbers) floats.push_back(static_cast<float>(number));
  return floats;
}

// ---- columns

Result<std::string> NameOf(const Value& feature) {
  // Older versions say "feature_name".
  std::string name = Text(feature, "feature_id");
  return name.empty() ? Text(feature, "feature_name") : name;
}

Status ReadFloatFeatures(const Value& info, Model& model) {
  for (const Value& item : Items(info, "float_features")) {
    FloatFeature feature;
    ATH_TRY(feature.index, Integer(item, "feature_index", -1));
    ATH_TRY(feature.flat_index, Integer(item, "flat_feature_index", -1));
    ATH_TRY(feature.name, NameOf(item));
    // A list without items is null.
    const Value* borders = item.Find("borders");
    if (borders != nullptr) feature.borders = Floats(borders->numbers);
    const Value* has_missing = item.Find("has_nans");
    feature.missing_is_largest = has_missing != nullptr && has_missing->number != 0 &&
                                 Text(item, "nan_value_treatment") == "AsTrue";
    model.float_features.push_back(std::move(feature));
  }
  return {};
}

Status ReadCategoryFeatures(const Value& info, Model& model) {
  for (const Value& item : Items(info, "categorical_features")) {
    CategoryFeature feature;
    ATH_TRY(feature.index, Integer(item, "feature_index", -1));
    ATH_TRY(feature.flat_index, Integer(item, "flat_feature_index", -1));
    ATH_TRY(feature.name, NameOf(item));
    const Value* values = item.Find("values");
    if (values != nullptr && !values->numbers.empty()) {
      OneHotFeature one_hot = {.category = feature.index};
      for (const double number : values->numbers) {
        ATH_TRY(const std::int32_t hash, Hash(number));
        one_hot.values.push_back(hash);
      }
      model.one_hot_features.push_back(std::move(one_hot));
    }
    model.category_features.push_back(std::move(feature));
  }
  return {};
}

// ---- statistics

Result<Combination> ReadCombination(std::span<const Value> elements) {
  Combination combination;
  for (const Value& element : elements) {
    const std::string kind = Text(element, "combination_element");
    ATH_TRY(const std::int64_t category, Integer(element, "cat_feature_index", -1));
    if (kind == "cat_feature_value") {
      combination.categories.push_back(category);
    } else if (kind == "float_feature") {
      Combination::FloatSplit split;
      ATH_TRY(split.feature, Integer(element, "float_feature_index", -1));
      ATH_TRY(split.border, Real(element, "border"));
      combination.float_splits.push_back(split);
    } else if (kind == "cat_feature_exact_value") {
      ATH_TRY(const Value* value, Member(element, "value", Value::Kind::kNumber));
      ATH_TRY(const std::int32_t hash, Hash(value->number));
      combination.equal_splits.push_back({category, hash});
    } else {
      return Unsupported("combination element {} is not known", Quote(kind));
    }
  }
  return combination;
}

Result<Statistic> StatisticOf(std::string_view name) {
  constexpr std::string_view kNames[kStatistics] = {
      "Borders", "Buckets",    "BinarizedTargetMeanValue", "FloatTargetMeanValue",
      "Counter", "FeatureFreq"};
  const auto* at = std::find(std::begin(kNames), std::end(kNames), name);
  if (at == std::end(kNames)) return Unsupported("statistic {} is not known", Quote(name));
  return static_cast<Statistic>(at - std::begin(kNames));
}

Status ReadStatisticFeatures(const Value& info, Model& model) {
  for (const Value& item : Items(info, "ctrs")) {
    StatisticFeature feature;
    ATH_TRY(feature.counted.combination, ReadCombination(Items(item, "elements")));
    ATH_TRY(feature.counted.statistic, StatisticOf(Text(item, "ctr_type")));
    ATH_TRY(feature.target_border, Integer(item, "target_border_idx", 0));
    ATH_TRY(feature.prior, Real(item, "prior_numerator"));
    ATH_TRY(feature.prior_denominator, Real(item, "prior_denomerator"));
    ATH_TRY(feature.shift, Real(item, "shift"));
    ATH_TRY(feature.scale, Real(item, "scale"));
    ATH_TRY(const std::span<const double> borders, Numbers(item, "borders"));
    feature.borders = Floats(borders);
    model.statistic_features.push_back(std::move(feature));
  }
  return {};
}

Result<std::uint64_t> HashOf(const Value& value) {
  std::uint64_t hash = 0;
  const std::string& text = value.text;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash);
  if (error != std::errc() || end != text.data() + text.size() || text.empty())
    return InvalidModel("{} is no hash", Quote(text));
  return hash;
}

// A list of a hash as text and its counts, again and again.
Status ReadCounts(const Value& value, StatisticTable& table) {
  ATH_TRY(const std::int64_t stride, Integer(value, "hash_stride", 0));
  const std::span<const Value> list = Items(value, "hash_map");
  if (stride < 2 || stride > (1 << 16) || list.size() % static_cast<std::size_t>(stride) != 0)
    return InvalidModel("{} items are given in groups of {}", list.size(), stride);
  table.width = static_cast<std::size_t>(stride) - 1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i % static_cast<std::size_t>(stride) == 0) {
      ATH_TRY(const std::uint64_t hash, HashOf(list[i]));
      table.hashes.push_back(hash);
    } else {
      table.counts.push_back(list[i].number);
    }
  }
  return {};
}

// The name of a table is itself a document: of what is counted, and how.
Status ReadTables(const Value& root, Model& model) {
  const Value* tables = root.Find("ctr_data");
  if (tables == nullptr) return {};
  for (const auto& [name, value] : tables->members) {
    StatisticTable table;
    ATH_TRY(const Value what,
            tabular::ParseJson({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()}));
    ATH_TRY(table.counted.combination, ReadCombination(Items(what, "identifier")));
    ATH_TRY(table.counted.statistic, StatisticOf(Text(what, "type")));
    ATH_TRY(const std::int64_t denominator, Integer(value, "counter_denominator", 0));
    table.denominator = static_cast<double>(denominator);
    Status status = ReadCounts(value, table);
    if (!status.ok()) return std::move(status).In(fmt::format("statistic {:.200}", name));
    model.tables.push_back(std::move(table));
  }
  return {};
}

// ---- trees

Result<Tree> ReadLevels(const Value& value) {
  Tree tree;
  for (const Value& split : Items(value, "splits")) {
    ATH_TRY(const std::int64_t index, Integer(split, "split_index", -1));
    tree.level_splits.push_back(index);
  }
  ATH_TRY(const std::span<const double> leaves, Numbers(value, "leaf_values"));
  tree.leaves.assign(leaves.begin(), leaves.end());
  return tree;
}

// The number of the node that `value` becomes. A branch that is absent ends in the node's value.
Result<std::int64_t> ReadNode(const Value& value, Tree& tree, std::size_t& leaf_size) {
  const auto at = tree.nodes.size();
  tree.nodes.emplace_back();
  const Value* split = value.Find("split");
  const Value* leaf = value.Find("value");
  if (leaf != nullptr) {
    const bool one = leaf->kind == Value::Kind::kNumber;
    const std::size_t size = one ? 1 : leaf->numbers.size();
    if (leaf_size == 0) leaf_size = size;
    if (size == 0 || size != leaf_size)
      return InvalidModel("a leaf has {} values, another {}", size, leaf_size);
    tree.nodes[at].leaf = static_cast<std::int64_t>(tree.leaves.size() / leaf_size);
    if (one) {
      tree.leaves.push_back(leaf->number);
    } else {
      tree.leaves.insert(tree.leaves.end(), leaf->numbers.begin(), leaf->numbers.end());
    }
  }
  std::int64_t children[] = {-1, -1};
  if (split != nullptr && split->kind == Value::Kind::kObject) {
    ATH_TRY(tree.nodes[at].split, Integer(*split, "split_index", -1));
    for (const int side : {0, 1}) {
      const Value* child = value.Find(side == 0 ? "left" : "right");
      if (child == nullptr || child->kind != Value::Kind::kObject) continue;
      ATH_TRY(children[side], ReadNode(*child, tree, leaf_size));
    }
  }
  if (leaf == nullptr && (children[0] < 0 || children[1] < 0))
    return InvalidModel("a node has neither a value nor two branches");
  tree.nodes[at].left = children[0];
  tree.nodes[at].right = children[1];
  return static_cast<std::int64_t>(at);
}

Status ReadTrees(const Value& root, Model& model) {
  std::size_t leaf_size = 0;
  for (const Value& item : Items(root, "oblivious_trees")) {
    ATH_TRY(Tree tree, ReadLevels(item));
    if (tree.level_splits.size() > 30) return InvalidModel("a tree has more than 30 levels");
    leaf_size = tree.leaves.size() >> tree.level_splits.size();
    model.trees.push_back(std::move(tree));
  }
  for (const Value& item : Items(root, "trees")) {
    Tree tree;
    ATH_RETURN_IF_ERROR(ReadNode(item, tree, leaf_size).status());
    model.trees.push_back(std::move(tree));
  }
  model.dimension = static_cast<std::int64_t>(std::max<std::size_t>(leaf_size, 1));
  return {};
}

// [scale, [bias...]]; older versions write one bias as a number.
Status ReadScaleAndBias(const Value& root, Model& model) {
  const Value* both = root.Find("scale_and_bias");
  if (both == nullptr) return {};
  if (both->numbers.size() == 2) {
    model.scale = both->numbers[0];
    model.bias = {both->numbers[1]};
    return {};
  }
  if (both->items.size() != 2 || both->items[0].kind != Value::Kind::kNumber ||
      both->items[1].kind != Value::Kind::kNumbers)
    return InvalidModel("\"scale_and_bias\" is no number with a list of numbers");
  model.scale = both->items[0].number;
  model.bias = both->items[1].numbers;
  return {};
}

Status RefuseOtherColumns(const Value& info) {
  for (const std::string_view kind : {"text_features", "embedding_features"}) {
    if (Items(info, kind).empty()) continue;
    return Unsupported("{} are not implemented; numbers and categories are", kind)
        .Fix("train without them, or compute columns of numbers from them first");
  }
  return {};
}

// Of several targets' statistics the JSON form keeps one table under one name: which target's is
// not told, and the library itself computes something else from it than from the .cbm file.
Status RefuseLostTables(const Model& model) {
  constexpr std::array<std::string_view, 3> kSeveralTargets = {"MultiCrossEntropy", "MultiLogloss",
                                                               "SurvivalAft"};
  if (std::find(kSeveralTargets.begin(), kSeveralTargets.end(), model.loss) ==
      kSeveralTargets.end())
    return {};
  for (const StatisticFeature& feature : model.statistic_features) {
    if (IsShareOfRows(feature.counted.statistic)) continue;
    return Unsupported("JSON files do not hold the statistics of categories for each target of {}",
                       model.loss)
        .Fix("model.save_model('model.cbm'): that form holds them");
  }
  return {};
}

}  // namespace

bool IsJson(std::span<const std::uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 256));
  const std::size_t brace = head.find_first_not_of(" \t\r\n");
  if (brace == std::string_view::npos || head[brace] != '{') return false;
  const std::size_t first = head.find_first_not_of(" \t\r\n", brace + 1);
  if (first == std::string_view::npos) return false;
  // Members are in the order of the alphabet; these are the ones that can be first.
  for (const std::string_view name : {"\"ctr_data\"", "\"features_info\"", "\"model_info\"",
                                      "\"oblivious_trees\"", "\"scale_and_bias\""}) {
    if (head.substr(first).starts_with(name)) return true;
  }
  return false;
}

Result<Model> ReadJson(std::span<const std::uint8_t> bytes) {
  ATH_TRY(const Value root, tabular::ParseJson(bytes));
  Model model;
  ATH_TRY(const Value* info, Object(root, "features_info"));
  ATH_RETURN_IF_ERROR(RefuseOtherColumns(*info));
  ATH_RETURN_IF_ERROR(ReadFloatFeatures(*info, model));
  ATH_RETURN_IF_ERROR(ReadCategoryFeatures(*info, model));
  ATH_RETURN_IF_ERROR(ReadStatisticFeatures(*info, model));
  ATH_RETURN_IF_ERROR(ReadTables(root, model));
  ATH_RETURN_IF_ERROR(ReadTrees(root, model));
  ATH_RETURN_IF_ERROR(ReadScaleAndBias(root, model));
  const Value* information = root.Find("model_info");
  if (information != nullptr) ATH_RETURN_IF_ERROR(ReadInformation(*information, model));
  ATH_RETURN_IF_ERROR(RefuseLostTables(model));
  return model;
}

}  // namespace athanor::catboost
