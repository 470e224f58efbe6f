// libFuzzer: any bytes as a file of PyTorch. `./dev fuzz pytorch 60`.
#include "frontends/pytorch/pytorch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::pytorch::Import({data, size}, nullptr).ok();
  return 0;
}
