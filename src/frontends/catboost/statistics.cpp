#include "frontends/catboost/statistics.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "core/checked.h"

namespace athanor::catboost {
namespace {

// What a combination with these counts is worth. In f32, step by step, as the library computes it.
float ValueOf(const StatisticFeature& feature, double part, double total) {
  const float share = (static_cast<float>(part) + feature.prior) /
                      (static_cast<float>(total) + feature.prior_denominator);
  return (share + feature.shift) * feature.scale;
}

float ValueOf(const StatisticFeature& feature, const StatisticTable& table,
              std::span<const double> counts) {
  const auto border = static_cast<std::size_t>(feature.target_border);
  const auto sum = [](std::span<const double> list) {
    return std::accumulate(list.begin(), list.end(), 0.0);
  };
  switch (feature.counted.statistic) {
    case Statistic::kBorders:
      return ValueOf(feature, sum(counts.subspan(border + 1)), sum(counts));
    case Statistic::kBuckets:
      return ValueOf(feature, counts[border], sum(counts));
    case Statistic::kBinarizedTargetMean:
    case Statistic::kFloatTargetMean:
      return ValueOf(feature, counts[0], counts[1]);
    default:
      return ValueOf(feature, counts[0], table.denominator);
  }
}

// Of a combination that training did not see.
float DefaultOf(const StatisticFeature& feature, const StatisticTable& table) {
  return ValueOf(feature, 0, IsShareOfRows(feature.counted.statistic) ? table.denominator : 0);
}

Status CheckTable(const StatisticFeature& feature, const StatisticTable& table) {
  const bool classes = feature.counted.statistic == Statistic::kBorders ||
                       feature.counted.statistic == Statistic::kBuckets;
  const std::size_t width = classes ? 2 : IsShareOfRows(feature.counted.statistic) ? 1 : 2;
  if (classes ? table.width < width : table.width != width)
    return InvalidModel("a statistic has {} counts for each hash", table.width);
  const std::size_t borders =
      table.width - static_cast<std::size_t>(feature.counted.statistic == Statistic::kBorders);
  if (classes &&
      (feature.target_border < 0 || feature.target_border >= static_cast<std::int64_t>(borders)))
    return InvalidModel("a statistic is of border {} of {} classes", feature.target_border,
                        table.width);
  return {};
}

// The statistics of one combination: rows of a table that CombinationStatistics looks up.
struct Part {
  std::vector<std::size_t> features;  // of the model
  std::vector<std::int64_t> hashes;
  std::vector<float> values;  // [hash][feature]
  std::vector<float> defaults;
};

class Builder {
 public:
  Builder(const Model& model, const StatisticInputs& inputs) : model_(model), inputs_(inputs) {
    for (const StatisticTable& table : model.tables) {
      tables_[&table.counted] = &table;
      // Every number of a table is used with a few priors.
      values_left_ += 64 * table.counts.size();
    }
  }

  Result<Statistics> Run(Graph& graph) {
    std::map<Combination, Part> parts;
    for (std::size_t i = 0; i < model_.statistic_features.size(); ++i)
      parts[model_.statistic_features[i].counted.combination].features.push_back(i);
    Statistics result;
    result.columns.resize(model_.statistic_features.size());
    std::int64_t column = 0;
    for (auto& [combination, part] : parts) {
      ATH_RETURN_IF_ERROR(Fill(part));
      ATH_RETURN_IF_ERROR(Append(combination, part));
      for (const std::size_t feature : part.features) result.columns[feature] = column++;
    }
    std::vector<ValueId> inputs = {inputs_.categories};
    if (inputs_.numbers) inputs.push_back(*inputs_.numbers);
    ATH_TRY(result.values, graph.Add("CombinationStatistics", inputs, Attributes(), "statistics"));
    return result;
  }

 private:
  using Ints = std::vector<std::int64_t>;

  // By what it points to: combinations are long.
  struct ByValue {
    bool operator()(const Counted* a, const Counted* b) const { return *a < *b; }
  };

  // The tables of several statistics know different hashes: those of all, each with its default
  // where a table does not know it.
  Status Fill(Part& part) {
    const std::size_t width = part.features.size();
    std::unordered_map<std::uint64_t, std::size_t> entries;
    for (std::size_t k = 0; k < width; ++k) {
      const StatisticFeature& feature = model_.statistic_features[part.features[k]];
      const auto found = tables_.find(&feature.counted);
      if (found == tables_.end()) return InvalidModel("a statistic has no table");
      const StatisticTable& table = *found->second;
      ATH_RETURN_IF_ERROR(CheckTable(feature, table));
      part.defaults.push_back(DefaultOf(feature, table));
      for (const std::uint64_t hash : table.hashes) {
        if (!entries.emplace(hash, entries.size()).second) continue;
        part.hashes.push_back(static_cast<std::int64_t>(hash));
      }
    }
    if (width * entries.size() > values_left_)
      return Error(ErrorCode::kResource, "{} statistics of one combination of categories", width);
    values_left_ -= width * entries.size();
    for (std::size_t i = 0; i < entries.size(); ++i)
      part.values.insert(part.values.end(), part.defaults.begin(), part.defaults.end());
    for (std::size_t k = 0; k < width; ++k) {
      const StatisticFeature& feature = model_.statistic_features[part.features[k]];
      const StatisticTable& table = *tables_.at(&feature.counted);
      for (std::size_t i = 0; i < table.hashes.size(); ++i) {
        const std::span<const double> counts(table.counts.data() + i * table.width, table.width);
        part.values[entries.at(table.hashes[i]) * width + k] = ValueOf(feature, table, counts);
      }
    }
    return {};
  }

  Status Append(const Combination& combination, const Part& part) {
    const auto column = [](const std::map<std::int64_t, std::int64_t>& columns,
                           std::int64_t index) -> Result<std::int64_t> {
      const auto found = columns.find(index);
      if (found == columns.end()) return InvalidModel("a statistic is of column {}", index);
      return found->second;
    };
    category_counts_.push_back(static_cast<std::int64_t>(combination.categories.size()));
    for (const std::int64_t category : combination.categories) {
      ATH_TRY(const std::int64_t at, column(inputs_.category_columns, category));
      categories_.push_back(at);
    }
    above_counts_.push_back(static_cast<std::int64_t>(combination.float_splits.size()));
    for (const Combination::FloatSplit& split : combination.float_splits) {
      ATH_TRY(const std::int64_t at, column(inputs_.number_columns, split.feature));
      above_features_.push_back(at);
      above_borders_.push_back(split.border);
    }
    equal_counts_.push_back(static_cast<std::int64_t>(combination.equal_splits.size()));
    for (const Combination::EqualSplit& split : combination.equal_splits) {
      ATH_TRY(const std::int64_t at, column(inputs_.category_columns, split.category));
      equal_categories_.push_back(at);
      equal_values_.push_back(split.value);
    }
    entry_counts_.push_back(static_cast<std::int64_t>(part.hashes.size()));
    value_counts_.push_back(static_cast<std::int64_t>(part.features.size()));
    hashes_.insert(hashes_.end(), part.hashes.begin(), part.hashes.end());
    values_.insert(values_.end(), part.values.begin(), part.values.end());
    defaults_.insert(defaults_.end(), part.defaults.begin(), part.defaults.end());
    return {};
  }

  AttrMap Attributes() {
    const auto tensor = [](auto& list) {
      return Tensor::FromVector({static_cast<std::int64_t>(list.size())}, std::move(list));
    };
    return {{"category_counts", std::move(category_counts_)},
            {"categories", std::move(categories_)},
            {"above_counts", std::move(above_counts_)},
            {"above_features", std::move(above_features_)},
            {"above_borders", tensor(above_borders_)},
            {"equal_counts", std::move(equal_counts_)},
            {"equal_categories", std::move(equal_categories_)},
            {"equal_values", std::move(equal_values_)},
            {"entry_counts", std::move(entry_counts_)},
            {"hashes", tensor(hashes_)},
            {"value_counts", std::move(value_counts_)},
            {"values", tensor(values_)},
            {"defaults", tensor(defaults_)}};
  }

  const Model& model_;
  const StatisticInputs& inputs_;
  std::map<const Counted*, const StatisticTable*, ByValue> tables_;
  std::size_t values_left_ = 1 << 16;
  Ints category_counts_, categories_, above_counts_, above_features_, equal_counts_,
      equal_categories_, equal_values_, entry_counts_, hashes_, value_counts_;
  std::vector<float> above_borders_, values_, defaults_;
};

}  // namespace

Result<Statistics> AddStatistics(Graph& graph, const Model& model, const StatisticInputs& inputs) {
  return Builder(model, inputs).Run(graph);
}

}  // namespace athanor::catboost
