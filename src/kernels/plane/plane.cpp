#include "kernels/plane/plane.h"

namespace athanor::kernels {

const PlaneTable& Planes(Isa isa) {
  const PlaneTable* const tables[] = {&base::kPlanes, &avx2::kPlanes, &avx512::kPlanes};
  return *tables[static_cast<std::size_t>(isa)];
}

PlaneGeometry MakePlane(const Spatial2d& spatial) {
  constexpr std::size_t kWidestVector = 16;
  const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
  const ops::WindowAxis &h = spatial.h, &w = spatial.w;
  PlaneGeometry g = {.in_h = size(h.in),
                     .in_w = size(w.in),
                     .out_h = size(h.out),
                     .out_w = size(w.out),
                     .kernel_h = size(h.kernel),
                     .kernel_w = size(w.kernel),
                     .stride_h = size(h.stride),
                     .stride_w = size(w.stride),
                     .dilation_h = size(h.dilation),
                     .dilation_w = size(w.dilation),
                     .pad_top = size(h.pad_begin),
                     .pad_left = size(w.pad_begin)};
  g.rows = (g.out_h - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
  // Whole vectors are read at the end of a row.
  const std::size_t wide = (g.out_w + kWidestVector - 1) / kWidestVector * kWidestVector;
  g.phase = wide + (g.kernel_w - 1) * g.dilation_w / g.stride_w;
  return g;
}

}  // namespace athanor::kernels
