// The binary files that XGBoost wrote until version 2: the structs of its memory, one behind the
// other. They become the document that newer versions write.
#pragma once

#include <cstdint>
#include <span>

#include "frontends/tabular/document.h"

namespace athanor::xgboost {

struct LegacyFile {
  tabular::Value root;
  // Versions before 1.0 kept the base score as what the trees add to, not as a prediction.
  bool base_is_margin = false;
};

bool IsLegacy(std::span<const std::uint8_t> bytes);
Result<LegacyFile> ReadLegacy(std::span<const std::uint8_t> bytes);

}  // namespace athanor::xgboost
