#include "kernels/conv/conv.h"
#include "kernels/divide.h"
#include "kernels/epilogue.h"
#include "kernels/every_isa.h"
#include "kernels/plane/plane.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

struct State {
  const PlaneTable* table = nullptr;
  PlaneGeometry plane;
  std::int64_t channels = 0;  // output channels
  std::int64_t planes = 0;    // of the whole batch
  std::int64_t multiplier = 1;
  bool bias = false;
  EpilogueProgram epilogue;
};

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  const auto spatial = Spatial2d::From(q);
  if (!spatial) return Fit::No("one or two spatial axes of less than 2^30 elements");
  if (spatial->conv.group != spatial->conv.in_channels)
    return Fit::No("more than one input channel per group");
  return AcceptsEpilogue(q, true, false);
}

// Measured: a row takes 20 ns to stage, whatever its length; a tap of a vector of outputs 1.1 ns,
// as the sums of one vector wait for each other.
double Cost(const KernelQuery& q) {
  constexpr double kRowNs = 20, kTapNs = 1.1;
  constexpr std::int64_t kLanes[] = {4, 8, 16};
  const Spatial2d spatial = *Spatial2d::From(q);
  const std::int64_t planes = spatial.conv.batch * spatial.conv.out_channels;
  const std::int64_t taps = spatial.h.kernel * spatial.w.kernel;
  const std::int64_t vectors =
      spatial.h.out * CeilDivide(spatial.w.out, kLanes[static_cast<std::size_t>(q.isa)]);
  return static_cast<double>(planes) *
         (static_cast<double>(spatial.h.out * spatial.h.stride) * kRowNs +
          static_cast<double>(vectors * taps) * kTapNs);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  const Spatial2d spatial = *Spatial2d::From(q);
  auto state = std::make_shared<State>();
  state->table = &Planes(q.isa);
  state->plane = MakePlane(spatial);
  state->channels = spatial.conv.out_channels;
  state->planes = spatial.conv.batch * spatial.conv.out_channels;
  state->multiplier = spatial.conv.out_channels / spatial.conv.in_channels;
  state->bias = q.Has(2);
  state->epilogue = EpilogueProgram::InOrder(q);
  return Prepared{state, q.threads * static_cast<std::int64_t>(state->plane.staged_floats() * 4)};
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  const PlaneGeometry& g = s.plane;
  const auto in = static_cast<std::int64_t>(g.in_h * g.in_w);
  const auto out = static_cast<std::int64_t>(g.out_h * g.out_w);
  const auto taps = static_cast<std::int64_t>(g.kernel_h * g.kernel_w);
  Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* staged = reinterpret_cast<float*>(args.scratch) +
                    static_cast<std::size_t>(thread) * g.staged_floats();
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t channel = i % s.channels;
      float* y = args.Out(0) + i * out;
      s.table->stage(g, args.In(0) + i / s.multiplier * in, 0.0F, staged);
      s.table->depthwise(g, staged, args.In(1) + channel * taps,
                         s.bias ? args.In(2)[channel] : 0.0F, y);
      s.epilogue.Apply(args, y, out, i * out, channel, 0);
    }
  });
}

}  // namespace

std::vector<KernelDef> DepthwiseKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Conv.f32.depthwise",
                        .op = "Conv",
                        .takes_epilogue = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
