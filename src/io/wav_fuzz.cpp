// Fuzz target: any bytes as a sound.
#include "io/wav.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto sound = athanor::io::ParseWav({data, size}, std::size_t{1} << 20);
  (void)sound;
  return 0;
}
