// VGG-16, SqueezeNet 1.1 and DenseNet-121.
#include "zoo/builder.h"

namespace athanor::zoo {

Result<Graph> Vgg16(std::uint64_t seed) {
  NetBuilder net("vgg16", seed);
  Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 224, 224});
  constexpr struct {
    int convolutions, channels;
  } kStages[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
  for (const auto& stage : kStages) {
    for (int i = 0; i < stage.convolutions; ++i) {
      x = net.Relu(net.Conv(x, stage.channels, {.kernel = 3, .pad = 1, .bias = true}));
    }
    x = net.MaxPool(x, {});
  }
  x = net.Relu(net.Linear(net.Flatten(x), 4096));
  net.Output("logits", net.Linear(net.Relu(net.Linear(x, 4096)), 1000));
  return std::move(net).Finish();
}

namespace {

Var Fire(NetBuilder& net, Var x, std::int64_t squeeze, std::int64_t expand) {
  x = net.Relu(net.Conv(x, squeeze, {.bias = true}));
  return net.Concat({net.Relu(net.Conv(x, expand, {.bias = true})),
                     net.Relu(net.Conv(x, expand, {.kernel = 3, .pad = 1, .bias = true}))},
                    1);
}

}  // namespace

Result<Graph> SqueezeNet11(std::uint64_t seed) {
  NetBuilder net("squeezenet1_1", seed);
  constexpr PoolOptions kPool = {.kernel = 3, .stride = 2, .ceil = true};
  Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 224, 224});
  x = net.MaxPool(net.Relu(net.Conv(x, 64, {.kernel = 3, .stride = 2, .bias = true})), kPool);
  x = net.MaxPool(Fire(net, Fire(net, x, 16, 64), 16, 64), kPool);
  x = net.MaxPool(Fire(net, Fire(net, x, 32, 128), 32, 128), kPool);
  x = Fire(net, Fire(net, x, 48, 192), 48, 192);
  x = Fire(net, Fire(net, x, 64, 256), 64, 256);
  x = net.Relu(net.Conv(x, 1000, {.bias = true}));
  net.Output("logits", net.Flatten(net.GlobalAveragePool(x)));
  return std::move(net).Finish();
}

Result<Graph> DenseNet121(std::uint64_t seed) {
  constexpr std::int64_t kGrowth = 32;
  NetBuilder net("densenet121", seed);
  Var x = net.Input("image", DType::kF32, {Dim::Symbol("N"), 3, 224, 224});
  x = net.Relu(net.BatchNorm(net.Conv(x, 64, {.kernel = 7, .stride = 2, .pad = 3})));
  x = net.MaxPool(x, {.kernel = 3, .stride = 2, .pad = 1});
  for (const int layers : {6, 12, 24, 16}) {
    for (int i = 0; i < layers; ++i) {
      const Var narrow = net.Conv(net.Relu(net.BatchNorm(x)), 4 * kGrowth, {});
      const Var grown = net.Conv(net.Relu(net.BatchNorm(narrow)), kGrowth, {.kernel = 3, .pad = 1});
      x = net.Concat({x, grown}, 1);
    }
    if (layers == 16) break;  // the last block has no transition behind it
    x = net.AveragePool(net.Conv(net.Relu(net.BatchNorm(x)), net.DimOf(x, 1) / 2, {}), {});
  }
  x = net.Relu(net.BatchNorm(x));
  net.Output("logits", net.Linear(net.Flatten(net.GlobalAveragePool(x)), 1000));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
