// Fuzz target: any bytes as an npy file and as an npz archive.
#include "io/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const athanor::io::NpyOptions options = {
      .max_bytes = std::size_t{1} << 22, .ratio_from = std::size_t{1} << 18, .max_ratio = 100};
  const auto array = athanor::io::ParseNpy({data, size}, options);
  const auto arrays = athanor::io::ParseNpz({data, size}, options);
  (void)array, (void)arrays;
  return 0;
}
