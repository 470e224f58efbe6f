// libFuzzer: any bytes as a .tflite file. `./dev fuzz tflite 60`.
#include "frontends/tflite/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  if (size >= 8) std::copy_n("TFL3", 4, bytes->begin() + 4);
  (void)athanor::tflite::Import(*bytes, bytes).ok();
  return 0;
}
