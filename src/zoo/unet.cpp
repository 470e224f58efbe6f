// UNet (Ronneberger et al., arXiv 1505.04597) as it is deployed today: padded convolutions with
// BatchNormalization, so that the mask has the size of the image.
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var Twice(NetBuilder& net, Var x, std::int64_t channels) {
  return net.ConvBn(net.ConvBn(x, channels, 3, 1, kRelu), channels, 3, 1, kRelu);
}

}  // namespace

Result<Graph> UNet(std::uint64_t seed) {
  NetBuilder net("unet", seed);
  std::vector<Var> levels = {Twice(net, net.Image(256), 64)};
  for (const int channels : {128, 256, 512, 1024})
    levels.push_back(Twice(net, net.MaxPool(levels.back(), {}), channels));
  Var x = levels.back();
  for (int i = 3; i >= 0; --i) {
    const Var kept = levels[static_cast<std::size_t>(i)];
    const std::int64_t channels = net.DimOf(kept, 1);
    const Var up = net.ConvTranspose(x, channels, 2, 2, 0, /*bias=*/true);
    x = Twice(net, net.Concat({kept, up}, 1), channels);
  }
  net.Output("mask", net.Conv(x, 2, {.bias = true}));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
