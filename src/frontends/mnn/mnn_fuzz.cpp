// libFuzzer: any bytes as a .mnn file. `./dev fuzz mnn 60`.
#include <vector>

#include "frontends/mnn/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  (void)athanor::mnn::Import(*bytes, bytes).ok();
  (void)athanor::mnn::IsMnn(*bytes);
  return 0;
}
