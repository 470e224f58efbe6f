// The columns that CatBoost computes from categories: values by combination, for
// CombinationStatistics.
#pragma once

#include <map>

#include "frontends/catboost/model.h"
#include "ir/graph.h"

namespace athanor::catboost {

// What CombinationStatistics looks at: columns of its two inputs, by CategoryFeature::index and by
// FloatFeature::index.
struct StatisticInputs {
  ValueId categories = {};           // i32 [rows, categories]
  std::optional<ValueId> numbers{};  // f32 [rows, numbers]
  std::map<std::int64_t, std::int64_t> category_columns = {}, number_columns = {};
};

struct Statistics {
  ValueId values = {};                     // f32 [rows, statistics]
  std::vector<std::int64_t> columns = {};  // of each of the model's statistic features, in `values`
};

// The model has statistic features.
Result<Statistics> AddStatistics(Graph& graph, const Model& model, const StatisticInputs& inputs);

}  // namespace athanor::catboost
