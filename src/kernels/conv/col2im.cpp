// Col2Im: every plane of the image is the sum of its blocks.
#include <algorithm>

#include "kernels/conv/columns.h"
#include "kernels/conv/conv.h"
#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

struct State {
  ColumnScatter scatter;
  std::int64_t planes = 0, taps = 1, blocks = 1, size = 1;
};

// Nothing when a shape is computed by the model.
std::optional<std::vector<ops::WindowAxis>> Axes(const KernelQuery& q) {
  const auto image = q.ConstInts(1), block = q.ConstInts(2);
  if (!image || !block) return std::nullopt;
  const Result<ops::WindowSpec> spec =
      ops::MakeWindow(*block, q.Ints("strides"), q.Ints("dilations"), q.Ints("pads"), "NOTSET");
  if (!spec.ok() || image->size() != block->size()) return std::nullopt;
  Result<std::vector<ops::WindowAxis>> axes = ops::ResolveWindow(*spec, *image);
  if (!axes.ok()) return std::nullopt;
  return *std::move(axes);
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  const auto axes = Axes(q);
  if (!axes) return Fit::No("its shapes are computed by the model");
  if (q.out[0].count() == 0) return Fit::No("nothing to compute");
  return ColumnScatter::Fits(*axes);
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, static_cast<double>(q.in[0].count()),
                    static_cast<double>(3 * q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const std::vector<ops::WindowAxis> axes = *Axes(q);
  state->scatter = ColumnScatter(axes, q.isa);
  state->taps = ops::TapCount(axes);
  state->blocks = ops::OutCount(axes);
  state->size = ops::InCount(axes);
  state->planes = q.out[0].count() / state->size;
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.planes, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      float* const y = args.Out(0) + plane * s.size;
      std::fill_n(y, s.size, 0.0F);
      s.scatter.Add(args.In(0) + plane * s.taps * s.blocks, s.blocks, 0, s.blocks, y);
    }
  });
}

}  // namespace

std::vector<KernelDef> Col2ImKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Col2Im.f32",
                        .op = "Col2Im",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
