// libFuzzer: any bytes as files of formats whose nodes a plug-in reads, the first byte says which.
// `./dev fuzz foreign 60`.
#include "frontends/foreign_for_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)athanor::ReadForeignFile({data, size}).ok();
  return 0;
}
