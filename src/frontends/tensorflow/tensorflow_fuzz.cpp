// libFuzzer: any bytes as a TensorFlow graph or SavedModel. `./dev fuzz tensorflow 60`.
#include <vector>

#include "frontends/tensorflow/import.h"
#include "frontends/tensorflow/sorted_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  (void)athanor::tensorflow::Import(*bytes, bytes, "/nonexistent").ok();
  (void)athanor::tensorflow::ReadSortedTable(*bytes).ok();
  (void)athanor::tensorflow::Unsnap(*bytes, std::size_t{1} << 20).ok();
  return 0;
}
