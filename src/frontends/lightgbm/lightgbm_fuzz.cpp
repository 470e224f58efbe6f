// libFuzzer: any bytes as a LightGBM model. `./dev fuzz lightgbm 60`.
#include "frontends/lightgbm/lightgbm.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::lightgbm::Import({data, size}).ok();
  return 0;
}
