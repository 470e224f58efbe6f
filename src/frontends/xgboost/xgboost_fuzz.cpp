// libFuzzer: any bytes as a XGBoost model. `./dev fuzz xgboost 60`.
#include "frontends/xgboost/xgboost.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::xgboost::Import({data, size}).ok();
  return 0;
}
