// libFuzzer: any bytes as a model of Core ML. `./dev fuzz coreml 60`.
#include <memory>
#include <vector>

#include "frontends/coreml/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  (void)athanor::coreml::IsCoreml(*bytes);
  (void)athanor::coreml::Import(*bytes, bytes).ok();
  return 0;
}
