// libFuzzer: any bytes as a program of PaddlePaddle with its parameters; the first four say how
// long the program is. `./dev fuzz paddle 60`.
#include <memory>

#include "frontends/paddle/files_for_test.h"
#include "frontends/paddle/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  const std::span<const std::uint8_t> all(*bytes);
  const std::size_t end = athanor::paddle::EndOfProgram(all);
  (void)athanor::paddle::Import(all.subspan(4, end - 4), all.subspan(end), bytes).ok();
  (void)athanor::paddle::IsPaddle(all.subspan(4, end - 4));
  return 0;
}
