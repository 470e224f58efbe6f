// libFuzzer: any bytes as a PMML document. `./dev fuzz pmml 60`.
#include "frontends/pmml/pmml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::pmml::Import({data, size}).ok();
  return 0;
}
