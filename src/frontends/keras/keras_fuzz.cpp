// libFuzzer: any bytes as a .keras or .h5 file. `./dev fuzz keras 60`.
#include <vector>

#include "frontends/keras/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  (void)athanor::keras::Import(*bytes, bytes).ok();
  return 0;
}
