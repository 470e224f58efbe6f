// Pickled estimators of XGBoost, LightGBM and CatBoost: `pickle.dump(XGBRegressor().fit(x, y),
// file)`.
//
// Their pickles hold the model in the library's own form. That is found without executing anything
// (frontends/pytorch/pickle.h); any class or function that is not on a short list is refused, with
// the way to save the model itself.
#pragma once

#include <span>

#include "ir/graph.h"

namespace athanor::pickled {

bool IsPickle(std::span<const std::uint8_t> bytes);
Result<Graph> Import(std::span<const std::uint8_t> bytes);

}  // namespace athanor::pickled
