// Pooling over three and more axes. Planes that several windows cover are folded into one, element
// by element, and that one is pooled as any plane is; where windows lie side by side, each plane is
// pooled and the small results are folded.
#include <algorithm>
#include <cstring>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/plane/plane.h"
#include "kernels/reduce/reduce.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kMostTaps = 1 << 22;

struct State {
  const PlaneTable* table = nullptr;
  FoldRow fold;
  PlaneGeometry plane;
  std::int64_t volumes = 0;         // batch times channels
  std::int64_t planes_in = 1;       // of a volume
  std::int64_t in = 0, out = 0;     // elements of a plane
  std::int64_t scratch_floats = 0;  // per thread
  // Planes of the input that output plane o folds: under[o] up to under[o + 1] of `taps`.
  std::vector<std::int64_t> under, taps;
  bool apart = true;  // no plane lies under two windows
  bool average = false;
  // Of an average, per output plane and row, and per column.
  std::vector<float> row_factors, col_factors;

  std::int64_t planes_out() const { return std::ssize(under) - 1; }
};

// The last two axes; nothing when there are no others or sizes do not fit 32-bit offsets.
std::optional<Spatial2d> PlaneOf(const std::vector<ops::WindowAxis>& axes) {
  if (axes.size() < 3) return std::nullopt;
  return Spatial2d::FromAxes({axes[axes.size() - 2], axes.back()});
}

std::vector<ops::WindowAxis> Axes(const KernelQuery& q) {
  Result<ops::PoolGeometry> pool =
      ops::ResolvePool(ReadAttributes<ops::PoolAttrs>(*q.attributes), q.in[0].dims);
  return pool.ok() ? std::move(pool->axes) : std::vector<ops::WindowAxis>();
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.out.size() > 1 && q.out[1].given()) return Fit::No("does not give indices");
  const std::vector<ops::WindowAxis> axes = Axes(q);
  if (!PlaneOf(axes))
    return Fit::No("three or more spatial axes with planes of less than 2^30 elements");
  std::int64_t taps = 1;
  for (std::size_t a = 0; a + 2 < axes.size(); ++a) {
    if (axes[a].out > kMostTaps || axes[a].kernel > kMostTaps)
      return Fit::No("an axis is too long");
    taps *= std::max<std::int64_t>(1, axes[a].out) * std::min(axes[a].kernel, axes[a].in);
    if (taps > kMostTaps) return Fit::No("too many windows");
  }
  return q.out[0].count() > 0 ? Fit::Yes() : Fit::No("nothing to compute");
}

double Cost(const KernelQuery& q) {
  const std::vector<ops::WindowAxis> axes = Axes(q);
  double planes = 1;  // folded per plane of the result
  for (std::size_t a = 0; a + 2 < axes.size(); ++a) planes *= static_cast<double>(axes[a].kernel);
  const auto& h = axes[axes.size() - 2];
  const auto& w = axes.back();
  const double results = static_cast<double>(q.out[0].count() / (h.out * w.out));
  return RooflineNs(q.isa, 2 * static_cast<double>(h.kernel * w.kernel * q.out[0].count()),
                    4 * results * (planes + 2) * static_cast<double>(h.in * w.in));
}

// Which planes each output plane folds, and its factor in an average.
std::vector<float> FindTaps(State& s, std::span<const ops::WindowAxis> outer, bool include_pad) {
  std::vector<std::vector<float>> each;
  for (const ops::WindowAxis& axis : outer) each.push_back(AverageFactors(axis, include_pad));
  std::vector<float> factors;
  s.under = {0};
  for (std::int64_t o = 0; o < ops::OutCount(outer); ++o) {
    // Axis by axis from the first: the planes that the window covers.
    std::vector<std::int64_t> planes = {0};
    float factor = 1;
    std::int64_t scale = ops::OutCount(outer);
    for (std::size_t a = 0; a < outer.size(); ++a) {
      const ops::WindowAxis& axis = outer[a];
      scale /= axis.out;
      const std::int64_t at = o / scale % axis.out;
      std::vector<std::int64_t> next;
      for (const std::int64_t plane : planes) {
        for (std::int64_t tap = axis.FirstTap(at); tap < axis.LastTap(at); ++tap)
          next.push_back(plane * axis.in + axis.Position(at, tap));
      }
      planes = std::move(next);
      factor *= each[a][static_cast<std::size_t>(at)];
    }
    s.taps.insert(s.taps.end(), planes.begin(), planes.end());
    s.under.push_back(std::ssize(s.taps));
    factors.push_back(factor);
  }
  return factors;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  State& s = *state;
  const std::vector<ops::WindowAxis> axes = Axes(q);
  const std::span<const ops::WindowAxis> outer = std::span(axes).first(axes.size() - 2);
  const Spatial2d spatial = *PlaneOf(axes);
  s.average = q.op->name == "AveragePool";
  s.table = &Planes(q.isa);
  s.fold = FoldOf(Folds(q.isa), s.average ? FoldKind::kSum : FoldKind::kMax);
  s.plane = MakePlane(spatial);
  s.volumes = q.in[0].dims[0] * q.in[0].dims[1];
  s.planes_in = ops::InCount(outer);
  s.in = spatial.h.in * spatial.w.in;
  s.out = spatial.h.out * spatial.w.out;
  const bool include_pad = s.average && q.Int("count_include_pad") != 0;
  const std::vector<float> factors = FindTaps(s, outer, include_pad);
  if (s.average) {
    const std::vector<float> rows = AverageFactors(spatial.h, include_pad);
    for (const float factor : factors) {
      for (std::int64_t y = 0; y < spatial.h.out; ++y)
        s.row_factors.push_back(factor * rows[static_cast<std::size_t>(y)]);
    }
    s.col_factors = AverageFactors(spatial.w, include_pad);
  }
  for (const ops::WindowAxis& axis : outer)
    s.apart = s.apart && axis.dilation == 1 && axis.stride >= axis.kernel;
  s.scratch_floats = WholeLines(std::max(s.in, s.out)) +
                     WholeLines(static_cast<std::int64_t>(s.plane.staged_floats()));
  return Prepared{state, q.threads * s.scratch_floats * 4};
}

void PoolPlane(const State& s, const float* x, std::int64_t o, float* staged, float* y) {
  if (!s.average) return s.table->max(s.plane, x, staged, y);
  s.table->stage(s.plane, x, 0.0F, staged);
  s.table->sum(s.plane, staged, s.row_factors.data() + o * static_cast<std::int64_t>(s.plane.out_h),
               s.col_factors.data(), y);
}

// `room`: for a plane of the input, then for a staged one.
void PoolVolume(const State& s, const float* volume, std::int64_t o, float* room, float* y) {
  float* const staged = room + WholeLines(std::max(s.in, s.out));
  const auto at = static_cast<std::size_t>(o);
  const std::span<const std::int64_t> taps =
      std::span(s.taps).subspan(static_cast<std::size_t>(s.under[at]),
                                static_cast<std::size_t>(s.under[at + 1] - s.under[at]));
  if (taps.empty()) {
    std::fill_n(y, s.out, s.average ? 0.0F : -__builtin_inff());
  } else if (s.apart || taps.size() == 1) {
    PoolPlane(s, volume + taps[0] * s.in, o, staged, y);
    for (const std::int64_t tap : taps.subspan(1)) {
      PoolPlane(s, volume + tap * s.in, o, staged, room);
      s.fold.down(room, nullptr, y, static_cast<std::size_t>(s.out));
    }
  } else {
    std::memcpy(room, volume + taps[0] * s.in, static_cast<std::size_t>(s.in) * sizeof(float));
    for (const std::int64_t tap : taps.subspan(1))
      s.fold.down(volume + tap * s.in, nullptr, room, static_cast<std::size_t>(s.in));
    PoolPlane(s, room, o, staged, y);
  }
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t planes = s.planes_out();
  Parallel(args, s.volumes * planes, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* const room = reinterpret_cast<float*>(args.scratch) + thread * s.scratch_floats;
    for (std::int64_t i = begin; i < end; ++i) {
      PoolVolume(s, args.In(0) + i / planes * s.planes_in * s.in, i % planes, room,
                 args.Out(0) + i * s.out);
    }
  });
}

}  // namespace

std::vector<KernelDef> VolumeKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"AveragePool", "MaxPool"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32.volume", op),
                          .op = std::string(op),
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
