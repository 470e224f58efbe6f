// libFuzzer: any bytes as a pickled estimator. `./dev fuzz pickled 60`.
#include "frontends/pickled/pickled.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::pickled::Import({data, size}).ok();
  return 0;
}
