// libFuzzer: any bytes as a darknet network; what follows the first 0 byte is the .weights file.
// `./dev fuzz darknet 60`.
#include <algorithm>

#include "frontends/darknet/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::uint8_t* end = data + size;
  const std::uint8_t* zero = std::find(data, end, 0);
  const std::string_view cfg(reinterpret_cast<const char*>(data),
                             static_cast<std::size_t>(zero - data));
  const std::uint8_t* weights = zero == end ? end : zero + 1;
  // Weights point into the bytes only while the graph lives, which is not beyond this call.
  const std::shared_ptr<const void> owner(data, [](const void*) {});
  (void)athanor::darknet::Import(cfg, {weights, end}, owner).ok();
  return 0;
}
