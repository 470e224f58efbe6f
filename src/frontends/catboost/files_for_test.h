// CatBoost files small enough to be computed by hand, in both forms. For tests only.
//
// Columns: amount (NaN is the largest), colour (one-hot: "red"), town (a statistic of towns by
// whether amount > 10: of "a" above 10 one row of the first class and three of the second).
// Tree 1 adds 1, 2, 3 or 4 by amount > 10 and colour = red; tree 2 adds 10, or 20 where the
// statistic, 3 / (4 + 1) or 0, is above 1/2. The sum is doubled, and 1/2 added.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "frontends/catboost/catboost_generated.h"

namespace athanor::catboost {

// As CatBoost's own files have them (CityHash64 cut to 32 bits, and hash.h on top of it).
inline constexpr std::int32_t kRed = -1242798403;
inline constexpr std::uint64_t kTownAAbove = 16085907277678888235ULL;

inline constexpr std::string_view kLevelTrees =
    R"("oblivious_trees":[{"leaf_values":[1,2,3,4],"splits":[{"split_index":0},{"split_index":1}]},)"
    R"({"leaf_values":[10,20],"splits":[{"split_index":2}]}])";
// The same as trees of nodes: where amount is not above 10, colour is asked further down.
inline constexpr std::string_view kNodeTrees =
    R"("trees":[{"split":{"split_index":0},"left":{"split":{"split_index":1},"left":{"value":1},"right":{"value":3}},)"
    R"("right":{"split":{"split_index":1},"left":{"value":2},"right":{"value":4}}},)"
    R"({"split":{"split_index":2},"left":{"value":10},"right":{"value":20}}])";

inline std::string JsonFile(std::string_view trees = kLevelTrees, std::string_view loss = "RMSE",
                            std::string_view notes = "") {
  constexpr std::string_view kElements =
      R"([{"cat_feature_index":1,"combination_element":"cat_feature_value"},)"
      R"({"border":10,"combination_element":"float_feature","float_feature_index":0}])";
  std::string quoted;
  for (const char c : kElements) quoted += c == '"' ? std::string("\\\"") : std::string(1, c);
  return fmt::format(
      R"({{"ctr_data":{{"{{\"identifier\":{},\"type\":\"Borders\"}}":{{"counter_denominator":0,"hash_map":["{}",1,3],"hash_stride":3}}}},)"
      R"("features_info":{{"categorical_features":[{{"feature_id":"colour","feature_index":0,"flat_feature_index":1,"values":[{}]}},)"
      R"({{"feature_id":"town","feature_index":1,"flat_feature_index":2}}],)"
      R"("ctrs":[{{"borders":[0.5],"ctr_type":"Borders","elements":{},"prior_denomerator":1,"prior_numerator":0,"scale":1,"shift":0,"target_border_idx":0}}],)"
      R"("float_features":[{{"borders":[10],"feature_id":"amount","feature_index":0,"flat_feature_index":0,"has_nans":true,"nan_value_treatment":"AsTrue"}}]}},)"
      R"("model_info":{{"params":{{"loss_function":{{"type":"{}"}}}}{}}},{},"scale_and_bias":[2,[0.5]]}})",
      quoted, kTownAAbove, kRed, kElements, loss, notes, trees);
}

// A flatbuffer with its size before it.
inline std::string Sized(const flatbuffers::FlatBufferBuilder& builder) {
  const std::uint32_t size = builder.GetSize();
  std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
  bytes.append(reinterpret_cast<const char*>(builder.GetBufferPointer()), size);
  return bytes;
}

inline flatbuffers::Offset<schema::Counted> TownAbove(flatbuffers::FlatBufferBuilder& b,
                                                      std::int8_t statistic, std::int32_t target) {
  const std::vector<std::int32_t> categories = {1};
  const std::vector<schema::FloatSplit> splits = {{0, 10}};
  return schema::CreateCounted(b, schema::CreateCombinationDirect(b, &categories, &splits, nullptr),
                               statistic, target);
}

// What a broken file has wrong.
struct BinaryParts {
  std::vector<std::int32_t> splits = {0, 1, 2}, sizes = {2, 1}, starts = {0, 2};
  std::vector<double> leaves = {1, 2, 3, 4, 10, 20};
  std::vector<schema::Step> steps = {};
  std::vector<std::uint32_t> leaf_of_node = {};
  std::string format = "FlabuffersModel_v1", part = "static_provider_v1";
  std::int32_t dimension = 1, target_border = 0, entry = 0, classes = 2, category = 0;
  std::int8_t statistic = 0;
  std::vector<std::int32_t> targets = {0};  // of the tables; the last one's is looked at
  std::vector<double> biases = {0.5};
  std::string params = R"({"loss_function":{"type":"RMSE"}})";
};

// The trees of kNodeTrees.
inline BinaryParts NodeParts() {
  BinaryParts parts;
  parts.splits = {0, 1, 1, 0, 0, 0, 0, 2, 0, 0};
  parts.sizes = {7, 3};
  parts.starts = {0, 7};
  parts.leaves = {1, 3, 2, 4, 10, 20};
  parts.steps = {{1, 2}, {2, 3}, {3, 4}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 2}, {0, 0}, {0, 0}};
  parts.leaf_of_node = {0, 0, 0, 0, 1, 2, 3, 0, 4, 5};
  return parts;
}

// Only the last table has the counts of the example.
inline std::string StatisticTablePart(const BinaryParts& parts, std::int32_t target) {
  flatbuffers::FlatBufferBuilder b;
  std::string places(24, '\xFF');
  std::memcpy(places.data() + 12, &kTownAAbove, 8);
  std::memcpy(places.data() + 20, &parts.entry, 4);
  const std::int32_t first = target == parts.targets.back() ? 1 : 1000;
  const std::int32_t counts[] = {first, 3};
  const auto index = b.CreateVector(reinterpret_cast<const std::uint8_t*>(places.data()), 24);
  const auto blob = b.CreateVector(reinterpret_cast<const std::uint8_t*>(counts), 8);
  const auto counted = TownAbove(b, parts.statistic, target);
  b.Finish(schema::CreateStatisticTable(b, counted, index, blob, 0, parts.classes));
  return Sized(b);
}

inline std::string BinaryFile(const BinaryParts& parts = {}) {
  flatbuffers::FlatBufferBuilder b;
  const std::vector<float> ten = {10}, half = {0.5F};
  const std::vector<std::int32_t> red = {kRed};
  const std::vector floats = {
      schema::CreateFloatFeatureDirect(b, true, 0, 0, &ten, "amount", schema::Missing_LARGEST)};
  const std::vector categories = {schema::CreateCategoryFeatureDirect(b, 0, 1, "colour"),
                                  schema::CreateCategoryFeatureDirect(b, 1, 2, "town")};
  const std::vector one_hot = {schema::CreateOneHotFeatureDirect(b, parts.category, &red)};
  const auto statistic = schema::CreateStatistic(
      b, TownAbove(b, parts.statistic, parts.targets.back()), parts.target_border, 0, 1, 0, 1);
  const std::vector statistics = {schema::CreateStatisticFeatureDirect(b, statistic, &half)};
  const auto trees = schema::CreateTreesDirect(
      b, parts.dimension, &parts.splits, &parts.sizes, &parts.starts, &categories, &floats,
      &one_hot, &statistics, &parts.leaves, nullptr, &parts.steps, &parts.leaf_of_node, nullptr,
      nullptr, 2, 0, &parts.biases);
  const std::vector notes = {schema::CreateNoteDirect(b, "params", parts.params.c_str())};
  const std::vector part_names = {b.CreateString(parts.part)};
  b.Finish(schema::CreateCoreDirect(b, parts.format.c_str(), trees, &notes, &part_names));
  const auto count = static_cast<std::uint32_t>(parts.targets.size());
  std::string file = "CBM1" + Sized(b);
  file.append(reinterpret_cast<const char*>(&count), sizeof(count));
  for (const std::int32_t target : parts.targets) file += StatisticTablePart(parts, target);
  return file;
}

}  // namespace athanor::catboost
