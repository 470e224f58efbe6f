#include "kernels/vision/resize_plan.h"

#include <algorithm>
#include <limits>

namespace athanor::kernels {
namespace {

enum ResizeInput : std::size_t { kResized, kRegion, kScales, kSizes };

}  // namespace

std::optional<std::vector<ops::ResizeAxis>> ResizePlan(const KernelQuery& q) {
  if (q.Text("coordinate_transformation_mode") == "tf_crop_and_resize") return std::nullopt;
  for (const ResizeInput i : {kScales, kSizes}) {
    if (q.Has(i) && q.in[i].count() > 0 && q.in[i].constant == nullptr) return std::nullopt;
  }
  const auto given = [&](std::size_t i) { return q.Has(i) ? q.in[i].constant : nullptr; };
  Result<std::vector<ops::ResizeAxis>> plan =
      ops::PlanResize(*q.attributes, q.in[kResized].dims, q.out[0].dims,
                      {.roi = nullptr, .scales = given(kScales), .sizes = given(kSizes)});
  if (!plan.ok()) return std::nullopt;
  return *std::move(plan);
}

Fit FitsResizePlan(const KernelQuery& q) {
  const auto plan = ResizePlan(q);
  if (!plan) return Fit::No("a crop, or its size is computed by the model");
  if (q.in[kResized].block != q.out[0].block) return Fit::No("both sides do not lie alike");
  for (const ops::ResizeAxis& axis : *plan) {
    if (q.block() != 0 && axis.axis < 2) return Fit::No("not only height and width");
    if (axis.taps > static_cast<std::int64_t>(kMostResizeTaps)) return Fit::No("shrinks too far");
    if (axis.in > std::numeric_limits<std::int32_t>::max()) return Fit::No("an axis too long");
  }
  return Fit::Yes();
}

ResizePass MakeResizePass(const ops::ResizeAxis& axis, const Dims& dims) {
  ResizePass pass = {.shape = AxisShape::Of(dims, static_cast<std::int64_t>(axis.axis)),
                     .out = axis.out};
  for (std::int64_t o = 0; o < axis.out; ++o) {
    std::size_t used = 0;
    for (std::int64_t t = 0; t < axis.taps; ++t)
      used += axis.weight[static_cast<std::size_t>(o * axis.taps + t)] != 0 ? 1 : 0;
    pass.taps = std::max({pass.taps, used, std::size_t{1}});
  }
  const auto out = static_cast<std::size_t>(axis.out);
  pass.index.assign(pass.taps * out, 0);
  pass.weight.assign(pass.taps * out, 0);
  for (std::size_t o = 0; o < out; ++o) {
    std::size_t next = 0;
    for (std::size_t t = 0; t < static_cast<std::size_t>(axis.taps); ++t) {
      const std::size_t from = o * static_cast<std::size_t>(axis.taps) + t;
      if (axis.weight[from] == 0) continue;
      pass.index[next * out + o] = static_cast<std::int32_t>(axis.index[from]);
      pass.weight[next * out + o] = static_cast<float>(axis.weight[from]);
      ++next;
    }
  }
  return pass;
}

}  // namespace athanor::kernels
