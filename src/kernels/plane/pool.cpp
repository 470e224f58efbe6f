#include <algorithm>

#include "kernels/every_isa.h"
#include "kernels/plane/plane.h"

namespace athanor::kernels {
namespace {

struct State {
  const PlaneTable* table = nullptr;
  PlaneGeometry plane;
  std::int64_t planes = 0;
  std::size_t in = 0, out = 0;  // elements of a plane
  bool average = false;
  std::vector<float> row_factors, col_factors;  // of an average: 1 / number of taps that count
};

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.out.size() > 1 && q.out[1].given()) return Fit::No("does not give indices");
  if (!Spatial2d::FromPool(q)) return Fit::No("one or two spatial axes of less than 2^30 elements");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  const Spatial2d spatial = *Spatial2d::FromPool(q);
  const double taps = static_cast<double>(spatial.h.kernel * spatial.w.kernel);
  return RooflineNs(q.isa, 2 * taps * static_cast<double>(q.out[0].count()),
                    2 * static_cast<double>(q.in[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  const Spatial2d spatial = *Spatial2d::FromPool(q);
  auto state = std::make_shared<State>();
  state->table = &Planes(q.isa);
  state->plane = MakePlane(spatial);
  state->planes = q.in[0].dims[0] * q.in[0].dims[1];
  state->in = state->plane.in_h * state->plane.in_w;
  state->out = state->plane.out_h * state->plane.out_w;
  state->average = q.op->name == "AveragePool";
  if (state->average) {
    const bool include_pad = q.Int("count_include_pad") != 0;
    state->row_factors = AverageFactors(spatial.h, include_pad);
    state->col_factors = AverageFactors(spatial.w, include_pad);
  }
  return Prepared{state, q.threads * static_cast<std::int64_t>(state->plane.staged_floats() * 4)};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    float* staged = reinterpret_cast<float*>(args.scratch) +
                    static_cast<std::size_t>(thread) * s.plane.staged_floats();
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const float* x = args.In(0) + i * s.in;
      float* y = args.Out(0) + i * s.out;
      if (s.average) {
        s.table->stage(s.plane, x, 0.0F, staged);
        s.table->sum(s.plane, staged, s.row_factors.data(), s.col_factors.data(), y);
      } else {
        s.table->max(s.plane, x, staged, y);
      }
    }
  });
}

Fit FitsGlobal(const KernelQuery& q) {
  return q.in[0].dtype == DType::kF32 ? Fit::Yes() : Fit::No("f32 only");
}

double CostGlobal(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[0].count()),
                    static_cast<double>(q.in[0].bytes()));
}

Result<Prepared> PrepareGlobal(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->table = &Planes(q.isa);
  state->planes = q.out[0].count();
  state->in = static_cast<std::size_t>(q.in[0].count() / state->planes);
  return Prepared{state, 0};
}

void RunGlobal(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.planes, 16, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float sum = s.table->total(args.In(0) + i * static_cast<std::int64_t>(s.in), s.in);
      args.Out(0)[i] = sum / static_cast<float>(s.in);
    }
  });
}

}  // namespace

std::vector<float> AverageFactors(const ops::WindowAxis& axis, bool include_pad) {
  std::vector<float> factors(static_cast<std::size_t>(axis.out) + 16, 0.0F);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    std::int64_t count = axis.LastTap(o) - axis.FirstTap(o);
    if (include_pad) {
      const std::int64_t left = axis.in + axis.pad_end - axis.Position(o, 0);
      count = std::min(axis.kernel, (left + axis.dilation - 1) / axis.dilation);
    }
    factors[static_cast<std::size_t>(o)] = count > 0 ? 1.0F / static_cast<float>(count) : 0.0F;
  }
  return factors;
}

std::vector<KernelDef> PoolKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"AveragePool", "MaxPool"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  AddForEveryIsa(defs, {.name = "GlobalAveragePool.f32",
                        .op = "GlobalAveragePool",
                        .fits = FitsGlobal,
                        .cost_ns = CostGlobal,
                        .prepare = PrepareGlobal,
                        .run = RunGlobal});
  return defs;
}

}  // namespace athanor::kernels
