// Networks over sequences without attention: LSTM (Hochreiter, Schmidhuber, Neural Computation
// 1997), GRU (Cho et al., arXiv 1406.1078) and TCN (Bai et al., arXiv 1803.01271).
#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

// Two layers of 256 that label each step with one of 32 tags.
Result<Graph> Tagger(const char* name, std::uint64_t seed,
                     Var (NetBuilder::*layer)(Var, std::int64_t)) {
  NetBuilder net(name, seed);
  Var x = net.Input("features", DType::kF32, {Dim::Symbol("sequence"), Dim::Symbol("batch"), 128});
  x = (net.*layer)((net.*layer)(x, 256), 256);
  net.Output("tags", net.Dense(x, 32));
  return std::move(net).Finish();
}

// Two causal convolutions and the input added (figure 1 of the paper).
Var TemporalBlock(NetBuilder& net, Var x, std::int64_t channels, std::int64_t dilation) {
  constexpr std::int64_t kKernel = 7;
  const auto causal = [&](Var v) {
    return net.Relu(net.Conv1d(v, channels, kKernel, dilation, (kKernel - 1) * dilation));
  };
  const Var y = causal(causal(x));
  const Var kept = net.DimOf(x, 1) == channels ? x : net.Conv1d(x, channels, 1, 1, 0);
  return net.Relu(net.Add(kept, y));
}

}  // namespace

Result<Graph> LstmTagger(std::uint64_t seed) { return Tagger("lstm", seed, &NetBuilder::Lstm); }
Result<Graph> GruTagger(std::uint64_t seed) { return Tagger("gru", seed, &NetBuilder::Gru); }

// The network of the paper's table 1 for sequential MNIST: the pixels of a digit one by one.
Result<Graph> Tcn(std::uint64_t seed) {
  NetBuilder net("tcn", seed);
  Var x = net.Input("sequence", DType::kF32, {Dim::Symbol("N"), 1, 784});
  for (std::int64_t dilation = 1; dilation <= 128; dilation *= 2)
    x = TemporalBlock(net, x, 25, dilation);
  net.Output("logits", net.Linear(net.Flatten(net.Slice(x, 2, 783, 784)), 10));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
