// Swin-T (Liu et al., Swin Transformer, arXiv 2103.14030): attention within windows of 7x7 that
// every other layer shifts by 3, with a learned bias for each relative position.
#include <cmath>

#include "zoo/blocks.h"

namespace athanor::zoo {
namespace {

constexpr std::int64_t kWindow = 7, kTokens = kWindow * kWindow, kShift = 3, kHeadWidth = 32;
constexpr std::int64_t kOffsets = 2 * kWindow - 1;  // of one coordinate
constexpr float kEpsilon = 1e-5F;

// Both spatial axes of [N, H, W, C] turned by `shift`, what leaves at one end enters at the other.
Var Roll(NetBuilder& net, Var x, std::int64_t shift) {
  for (const std::int64_t axis : {1, 2}) {
    const std::int64_t size = net.DimOf(x, axis), cut = (shift + size) % size;
    x = net.Concat({net.Slice(x, axis, cut, size), net.Slice(x, axis, 0, cut)}, axis);
  }
  return x;
}

// The bias [heads, tokens, tokens] that a table with a row per offset (dy, dx) gives.
Var RelativePositionBias(NetBuilder& net, std::int64_t heads) {
  std::vector<std::int64_t> rows;
  for (std::int64_t a = 0; a < kTokens; ++a) {
    for (std::int64_t b = 0; b < kTokens; ++b) {
      const std::int64_t dy = a / kWindow - b / kWindow + kWindow - 1;
      const std::int64_t dx = a % kWindow - b % kWindow + kWindow - 1;
      rows.push_back(dy * kOffsets + dx);
    }
  }
  const Var table = net.Weight({kOffsets * kOffsets, heads}, 0.5);
  const Var bias =
      net.Reshape(net.Apply("Gather", {table, net.Ints(rows)}), {kTokens, kTokens, heads});
  return net.Transpose(bias, {2, 0, 1});
}

// -100 between tokens of a shifted window that are no neighbours in the image: [windows, 1, tokens,
// tokens]. A coordinate belongs to the part before the last window, to what of it is not shifted
// out, or to what came in from the other end.
Var ShiftMask(NetBuilder& net, std::int64_t size) {
  const auto part = [&](std::int64_t i) {
    return i < size - kWindow ? 0 : i < size - kShift ? 1 : 2;
  };
  const std::int64_t across = size / kWindow;
  std::vector<float> mask;
  for (std::int64_t window = 0; window < across * across; ++window) {
    const auto region = [&](std::int64_t token) {
      return 3 * part(window / across * kWindow + token / kWindow) +
             part(window % across * kWindow + token % kWindow);
    };
    for (std::int64_t a = 0; a < kTokens; ++a) {
      for (std::int64_t b = 0; b < kTokens; ++b)
        mask.push_back(region(a) == region(b) ? 0.0F : -100.0F);
    }
  }
  return net.Floats({across * across, 1, kTokens, kTokens}, mask);
}

// x [N, H, W, C]; attention among the tokens of each window.
Var WindowAttention(NetBuilder& net, Var x, bool shifted) {
  const std::int64_t size = net.DimOf(x, 1), width = net.DimOf(x, 3), across = size / kWindow;
  const std::int64_t windows = across * across, heads = width / kHeadWidth;
  // Windows as large as the image leave nothing to shift.
  shifted = shifted && across > 1;
  if (shifted) x = Roll(net, x, kShift);
  x = net.Reshape(x, {0, across, kWindow, across, kWindow * width});
  x = net.Reshape(net.Transpose(x, {0, 1, 3, 2, 4}), {-1, windows, kTokens, width});

  // [3, N, windows, heads, tokens, head width]
  Var qkv = net.Reshape(net.Dense(x, 3 * width), {0, windows, kTokens, 3, heads, kHeadWidth});
  const std::vector<Var> parts = net.Split(net.Transpose(qkv, {3, 0, 1, 4, 2, 5}), 0, 3);
  const auto part = [&](std::size_t i) {
    return net.Reshape(parts[i], {-1, windows, heads, kTokens, kHeadWidth});
  };
  const Var scale = net.Scalar(1.0F / std::sqrt(static_cast<float>(kHeadWidth)));
  Var scores = net.MatMul(net.Mul(part(0), scale), net.Transpose(part(1), {0, 1, 2, 4, 3}));
  scores = net.Add(scores, RelativePositionBias(net, heads));
  if (shifted) scores = net.Add(scores, ShiftMask(net, size));
  Var mixed = net.Transpose(net.MatMul(net.Softmax(scores), part(2)), {0, 1, 3, 2, 4});
  x = net.Dense(net.Reshape(mixed, {0, windows, kTokens, width}), width);

  x = net.Reshape(x, {0, across, across, kWindow, kWindow * width});
  x = net.Reshape(net.Transpose(x, {0, 1, 3, 2, 4}), {0, size, size, width});
  return shifted ? Roll(net, x, -kShift) : x;
}

// Four neighbours become one token of twice the width.
Var MergePatches(NetBuilder& net, Var x) {
  const std::int64_t half = net.DimOf(x, 1) / 2, width = net.DimOf(x, 3);
  // The order of the paper's code: (0, 0), (1, 0), (0, 1), (1, 1) of (row, column).
  x = net.Transpose(net.Reshape(x, {0, half, 2, half, 2, width}), {0, 1, 3, 4, 2, 5});
  x = net.Reshape(x, {0, half, half, 4 * width});
  return net.Dense(net.LayerNorm(x, kEpsilon), 2 * width, /*bias=*/false);
}

}  // namespace

Result<Graph> SwinT(std::uint64_t seed) {
  NetBuilder net("swin_t", seed);
  Var x = net.Conv(net.Image(224), 96, {.kernel = 4, .stride = 4, .bias = true});
  x = net.LayerNorm(net.Transpose(x, {0, 2, 3, 1}), kEpsilon);
  for (const int depth : {2, 2, 6, 2}) {
    for (int i = 0; i < depth; ++i) {
      x = net.Add(x, WindowAttention(net, net.LayerNorm(x, kEpsilon), i % 2 == 1));
      x = net.Add(x, FeedForward(net, net.LayerNorm(x, kEpsilon), 4 * net.DimOf(x, 3)));
    }
    if (net.DimOf(x, 1) > kWindow) x = MergePatches(net, x);
  }
  x = net.Apply("ReduceMean", {net.LayerNorm(x, kEpsilon), net.Ints({1, 2})},
                {{"keepdims", std::int64_t{0}}});
  net.Output("logits", net.Linear(x, 1000));
  return std::move(net).Finish();
}

}  // namespace athanor::zoo
