// libFuzzer: any bytes as a Caffe network; what follows the first "\0\0\0\0" is the .caffemodel.
// `./dev fuzz caffe 60`.
#include <algorithm>

#include "frontends/caffe/import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint8_t kCut[] = {0, 0, 0, 0};
  const std::uint8_t* end = data + size;
  const std::uint8_t* cut = std::search(data, end, std::begin(kCut), std::end(kCut));
  // Weights point into the bytes only while the graph lives, which is not beyond this call.
  const std::shared_ptr<const void> owner(data, [](const void*) {});
  const std::span<const std::uint8_t> net(data, cut);
  if (cut == end) {
    (void)athanor::caffe::Import(net, nullptr, owner).ok();
    return 0;
  }
  const std::span<const std::uint8_t> weights(cut + sizeof(kCut), end);
  (void)athanor::caffe::Import(net, &weights, owner).ok();
  return 0;
}
