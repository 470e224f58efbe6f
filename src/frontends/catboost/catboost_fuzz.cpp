// libFuzzer: any bytes as a CatBoost model. `./dev fuzz catboost 60`.
#include "frontends/catboost/catboost.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::catboost::Import({data, size}).ok();
  return 0;
}
