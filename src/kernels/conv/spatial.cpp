#include "kernels/conv/spatial.h"

#include <algorithm>

namespace athanor::kernels {

std::optional<Spatial2d> Spatial2d::FromAxes(const std::vector<ops::WindowAxis>& axes) {
  if (axes.empty() || axes.size() > 2) return std::nullopt;
  Spatial2d spatial;
  spatial.h = axes.size() == 2 ? axes[0] : ops::WindowAxis{.in = 1, .out = 1};
  spatial.w = axes.back();
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  constexpr std::int64_t kMostOfOne = std::int64_t{1} << 24;
  for (const ops::WindowAxis* axis : {&spatial.h, &spatial.w}) {
    const std::int64_t largest =
        std::max({axis->in, axis->out, axis->kernel, axis->stride, axis->dilation, axis->pad_begin,
                  axis->pad_end, axis->kernel * axis->dilation, axis->out * axis->stride});
    if (largest > kMostOfOne) return std::nullopt;
  }
  const ops::WindowAxis &h = spatial.h, &w = spatial.w;
  const std::int64_t rows = h.in + h.pad_begin + h.pad_end + h.kernel * h.dilation;
  const std::int64_t cols = w.in + w.pad_begin + w.pad_end + w.kernel * w.dilation;
  if (rows * cols > kMost || h.out * w.out > kMost) return std::nullopt;
  return spatial;
}

std::optional<Spatial2d> Spatial2d::From(const KernelQuery& query) {
  const Result<ops::ConvGeometry> conv = ops::ResolveConv(
      ReadAttributes<ops::ConvAttrs>(*query.attributes), query.in[0].dims, query.in[1].dims);
  if (!conv.ok()) return std::nullopt;
  std::optional<Spatial2d> spatial = FromAxes(conv->axes);
  if (spatial) spatial->conv = *conv;
  return spatial;
}

std::optional<Spatial2d> Spatial2d::FromPool(const KernelQuery& query) {
  const Result<ops::PoolGeometry> pool =
      ops::ResolvePool(ReadAttributes<ops::PoolAttrs>(*query.attributes), query.in[0].dims);
  return pool.ok() ? FromAxes(pool->axes) : std::nullopt;
}

}  // namespace athanor::kernels
