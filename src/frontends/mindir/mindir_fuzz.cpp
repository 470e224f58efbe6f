// libFuzzer: any bytes as a network of MindSpore. `./dev fuzz mindir 60`.
#include <memory>
#include <vector>

#include "frontends/mindir/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  (void)athanor::mindir::IsMindir(*bytes);
  (void)athanor::mindir::Import(*bytes, bytes).ok();
  return 0;
}
