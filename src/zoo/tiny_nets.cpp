// The four networks of MLPerf Tiny (Banbury et al., arXiv 2106.07597) and a multi-layer perceptron.
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

Var ResidualBlock(NetBuilder& net, Var x, std::int64_t channels, std::int64_t stride) {
  const auto conv = [&](Var v, std::int64_t kernel, std::int64_t by) {
    // TensorFlow's "same" with stride 2 pads an even size only behind it.
    const std::int64_t before = by == 2 ? 0 : kernel / 2;
    return net.Conv(v, channels,
                    {.kernel = kernel,
                     .stride = by,
                     .pads = {before, before, kernel / 2, kernel / 2},
                     .bias = true});
  };
  const Var y = net.BatchNorm(conv(net.Relu(net.BatchNorm(conv(x, 3, stride))), 3, 1));
  return net.Relu(net.Add(stride == 1 ? x : conv(x, 1, stride), y));
}

}  // namespace

// Keyword spotting: Zhang et al., Hello Edge, arXiv 1711.07128.
Result<Graph> DsCnn(std::uint64_t seed) {
  NetBuilder net("ds_cnn", seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("N"), 1, 49, 10});
  x = net.Relu(net.BatchNorm(net.Conv(
      x, 64, {.kernel = 10, .kernel_w = 4, .stride = 2, .pads = {4, 1, 5, 1}, .bias = true})));
  for (int i = 0; i < 4; ++i) {
    x = net.Relu(
        net.BatchNorm(net.Conv(x, 64, {.kernel = 3, .pad = 1, .groups = 64, .bias = true})));
    x = net.Relu(net.BatchNorm(net.Conv(x, 64, {.bias = true})));
  }
  return Classify(std::move(net), x, 12);
}

// Image classification: a ResNet of eight convolutions on 32x32.
Result<Graph> ResNet8(std::uint64_t seed) {
  NetBuilder net("resnet8", seed);
  Var x = net.Conv(net.Image(32), 16, {.kernel = 3, .pad = 1, .bias = true});
  x = net.Relu(net.BatchNorm(x));
  x = ResidualBlock(net, x, 16, 1);
  x = ResidualBlock(net, x, 32, 2);
  x = ResidualBlock(net, x, 64, 2);
  return Classify(std::move(net), x, 10);
}

// Person or no person: MobileNet v1 (arXiv 1704.04861) with a quarter of the channels.
Result<Graph> VisualWakeWords(std::uint64_t seed) {
  NetBuilder net("vww", seed);
  const Var x = MobileNetV1Blocks(net, net.Image(96), 0.25).back();
  return Classify(std::move(net), x, 2);
}

// Anomaly detection: an autoencoder over five frames of 128 mel bands.
Result<Graph> Autoencoder(std::uint64_t seed) {
  NetBuilder net("autoencoder", seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("N"), 640});
  for (const int width : {128, 128, 128, 128, 8, 128, 128, 128, 128})
    x = net.Relu(net.BatchNorm(net.Linear(x, width)));
  net.Output("reconstruction", net.Linear(x, 640));
  return std::move(net).Finish();
}

// Rumelhart, Hinton, Williams: Learning representations by back-propagating errors, Nature 1986; in
// the size that LeCun et al. (Proc. IEEE 86, 1998) give for handwritten digits: 784-300-100-10.
Result<Graph> Mlp(std::uint64_t seed) {
  NetBuilder net("mlp", seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("N"), 784});
  x = net.Relu(net.Linear(net.Relu(net.Linear(x, 300)), 100));
  net.Output("logits", net.Linear(x, 10));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
