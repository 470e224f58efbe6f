// Walks over the windows of a pooling and over the taps of a window, for references.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/nn/pool.h"

namespace athanor::ops {

// One output position: the taps of its window that are inside the input, per axis.
struct Window {
  std::vector<std::int64_t> output;       // position, per axis
  std::vector<std::int64_t> first, last;  // taps
  std::vector<std::int64_t> tap;          // where a walk over the taps stands
};

inline bool NextPosition(std::span<const WindowAxis> axes, Window& window) {
  for (std::size_t a = axes.size(); a-- > 0;) {
    if (++window.output[a] < axes[a].out) return true;
    window.output[a] = 0;
  }
  return false;
}

// Calls f(offset into the plane) for every tap inside the input, in row-major order.
template <class F>
void ForEachTap(std::span<const WindowAxis> axes, Window& window, F&& f) {
  const std::size_t inner = axes.size() - 1;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    window.first[a] = axes[a].FirstTap(window.output[a]);
    window.last[a] = axes[a].LastTap(window.output[a]);
    if (window.first[a] >= window.last[a]) return;
  }
  window.tap = window.first;
  while (true) {
    std::int64_t base = 0;
    for (std::size_t a = 0; a < inner; ++a)
      base = (base + axes[a].Position(window.output[a], window.tap[a])) * axes[a + 1].in;
    for (std::int64_t k = window.first[inner]; k < window.last[inner]; ++k)
      f(base + axes[inner].Position(window.output[inner], k));
    std::size_t a = inner;
    while (a > 0 && ++window.tap[a - 1] == window.last[a - 1]) {
      window.tap[a - 1] = window.first[a - 1];
      --a;
    }
    if (a == 0) return;
  }
}

// Calls f(plane, window, index of the output) for every output element.
template <class F>
void ForEachWindow(const PoolGeometry& pool, F&& f) {
  const std::size_t rank = pool.axes.size();
  if (OutCount(pool.axes) == 0) return;
  std::size_t i = 0;
  for (std::int64_t plane = 0; plane < pool.planes; ++plane) {
    Window window = {std::vector<std::int64_t>(rank, 0),
                     std::vector<std::int64_t>(rank),
                     std::vector<std::int64_t>(rank),
                     {}};
    do {
      f(plane, window, i++);
    } while (NextPosition(pool.axes, window));
  }
}

}  // namespace athanor::ops
