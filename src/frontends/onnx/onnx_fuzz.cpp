// libFuzzer: any bytes as an ONNX model. `./dev fuzz onnx 60`.
#include "frontends/onnx/import.h"
#include "frontends/onnx/partition.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using athanor::onnx::Import;
  // Weights point into the bytes only while the graph lives, which is not beyond this call.
  const std::shared_ptr<const void> owner(data, [](const void*) {});
  (void)Import({data, size}, owner, {}).ok();
  (void)athanor::onnx::PartitionModel({data, size}, {}).ok();
  return 0;
}
