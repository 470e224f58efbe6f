// libFuzzer: any bytes as a symbol of MXNet, behind the first zero byte its parameters.
// `./dev fuzz mxnet 60`.
#include <memory>

#include "frontends/mxnet/files_for_test.h"
#include "frontends/mxnet/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  const athanor::mxnet::Unpacked files = athanor::mxnet::Unpack(*bytes);
  (void)athanor::mxnet::IsMxnet(files.symbol);
  (void)athanor::mxnet::Import(files.symbol, files.parameters, bytes).ok();
  return 0;
}
