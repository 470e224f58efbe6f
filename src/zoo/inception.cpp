// GoogLeNet (Szegedy et al., Going deeper with convolutions, arXiv 1409.4842) with its local
// response normalisation, and Inception v3 (Szegedy et al., Rethinking the Inception architecture,
// arXiv 1512.00567); both without the auxiliary classifiers, which only training uses.
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var ConvRelu(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel,
             std::int64_t stride = 1) {
  return net.Relu(
      net.Conv(x, channels, {.kernel = kernel, .stride = stride, .pad = kernel / 2, .bias = true}));
}

struct Mixed {
  int one, narrow3, three, narrow5, five, pooled;
};

Var InceptionV1(NetBuilder& net, Var x, const Mixed& m) {
  const Var pooled = net.MaxPool(x, {.kernel = 3, .stride = 1, .pad = 1});
  return net.Concat(
      {ConvRelu(net, x, m.one, 1), ConvRelu(net, ConvRelu(net, x, m.narrow3, 1), m.three, 3),
       ConvRelu(net, ConvRelu(net, x, m.narrow5, 1), m.five, 5),
       ConvRelu(net, pooled, m.pooled, 1)},
      1);
}

constexpr PoolOptions kHalve = {.kernel = 3, .stride = 2};

Var Same(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel) {
  return net.ConvBn(x, channels, kernel, 1, kRelu);
}

// Without padding.
Var Valid(NetBuilder& net, Var x, std::int64_t channels, std::int64_t kernel, std::int64_t stride) {
  return net.Relu(net.BatchNorm(net.Conv(x, channels, {.kernel = kernel, .stride = stride})));
}

// One row or one column of a square.
Var Line(NetBuilder& net, Var x, std::int64_t channels, std::int64_t h, std::int64_t w) {
  return net.Relu(net.BatchNorm(
      net.Conv(x, channels, {.kernel = h, .kernel_w = w, .pads = {h / 2, w / 2, h / 2, w / 2}})));
}

Var Pooled(NetBuilder& net, Var x, std::int64_t channels) {
  return Same(net, net.AveragePool(x, {.kernel = 3, .stride = 1, .pad = 1}), channels, 1);
}

// Figure 5 of the paper: two 3x3 convolutions stand for a 5x5.
Var MixedA(NetBuilder& net, Var x, std::int64_t pooled) {
  const Var five = Same(net, Same(net, x, 48, 1), 64, 5);
  const Var twice = Same(net, Same(net, Same(net, x, 64, 1), 96, 3), 96, 3);
  return net.Concat({Same(net, x, 64, 1), five, twice, Pooled(net, x, pooled)}, 1);
}

// Figure 6: 7x7 as a row and a column.
Var MixedC(NetBuilder& net, Var x, std::int64_t c) {
  const Var once = Line(net, Line(net, Same(net, x, c, 1), c, 1, 7), 192, 7, 1);
  Var twice = Line(net, Line(net, Same(net, x, c, 1), c, 7, 1), c, 1, 7);
  twice = Line(net, Line(net, twice, c, 7, 1), 192, 1, 7);
  return net.Concat({Same(net, x, 192, 1), once, twice, Pooled(net, x, 192)}, 1);
}

// Figure 7: the row and the column side by side.
Var MixedE(NetBuilder& net, Var x) {
  const auto both = [&](Var y) {
    return net.Concat({Line(net, y, 384, 1, 3), Line(net, y, 384, 3, 1)}, 1);
  };
  const Var once = both(Same(net, x, 384, 1));
  const Var twice = both(Same(net, Same(net, x, 448, 1), 384, 3));
  return net.Concat({Same(net, x, 320, 1), once, twice, Pooled(net, x, 192)}, 1);
}

}  // namespace

Result<Graph> GoogLeNet(std::uint64_t seed) {
  NetBuilder net("googlenet", seed);
  constexpr PoolOptions kPool = {.kernel = 3, .stride = 2, .ceil = true};
  Var x = net.MaxPool(ConvRelu(net, net.Image(224), 64, 7, 2), kPool);
  x = ConvRelu(net, ConvRelu(net, net.LocalResponseNorm(x, 1.0F), 64, 1), 192, 3);
  x = net.MaxPool(net.LocalResponseNorm(x, 1.0F), kPool);
  for (const Mixed& m : {Mixed{64, 96, 128, 16, 32, 32}, Mixed{128, 128, 192, 32, 96, 64}})
    x = InceptionV1(net, x, m);
  x = net.MaxPool(x, kPool);
  for (const Mixed& m : {Mixed{192, 96, 208, 16, 48, 64}, Mixed{160, 112, 224, 24, 64, 64},
                         Mixed{128, 128, 256, 24, 64, 64}, Mixed{112, 144, 288, 32, 64, 64},
                         Mixed{256, 160, 320, 32, 128, 128}})
    x = InceptionV1(net, x, m);
  x = net.MaxPool(x, kPool);
  for (const Mixed& m : {Mixed{256, 160, 320, 32, 128, 128}, Mixed{384, 192, 384, 48, 128, 128}})
    x = InceptionV1(net, x, m);
  return Classify(std::move(net), x, 1000);
}

Result<Graph> InceptionV3(std::uint64_t seed) {
  NetBuilder net("inception_v3", seed);
  Var x = Same(net, Valid(net, Valid(net, net.Image(299), 32, 3, 2), 32, 3, 1), 64, 3);
  x = Valid(net, Valid(net, net.MaxPool(x, kHalve), 80, 1, 1), 192, 3, 1);
  x = net.MaxPool(x, kHalve);
  for (const int pooled : {32, 64, 64}) x = MixedA(net, x, pooled);
  const Var twice = Valid(net, Same(net, Same(net, x, 64, 1), 96, 3), 96, 3, 2);
  x = net.Concat({Valid(net, x, 384, 3, 2), twice, net.MaxPool(x, kHalve)}, 1);
  for (const int channels : {128, 160, 160, 192}) x = MixedC(net, x, channels);
  const Var three = Valid(net, Same(net, x, 192, 1), 320, 3, 2);
  const Var seven = Line(net, Line(net, Same(net, x, 192, 1), 192, 1, 7), 192, 7, 1);
  x = net.Concat({three, Valid(net, seven, 192, 3, 2), net.MaxPool(x, kHalve)}, 1);
  x = MixedE(net, MixedE(net, x));
  return Classify(std::move(net), x, 1000);
}

}  // namespace athanor::zoo
