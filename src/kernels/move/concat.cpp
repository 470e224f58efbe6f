// Concatenation of channels in blocks: whole blocks are copied.
#include <algorithm>
#include <cstring>

#include "kernels/every_isa.h"
#include "kernels/layout.h"
#include "kernels/move/copy.h"

namespace athanor::kernels {
namespace {

struct State {
  std::int64_t batch = 1;
  std::vector<std::int64_t> floats;  // of one picture of each input
  std::int64_t total = 0;
};

Fit Fits(const KernelQuery& q) {
  const std::int64_t axis = q.Int("axis");
  if (axis != 1 && axis != -3) return Fit::No("not along the channels");
  for (std::size_t i = 0; i < q.own_inputs; ++i) {
    if (q.in[i].block == 0) return Fit::No("an input has another layout");
    if (i + 1 < q.own_inputs && q.in[i].dims[1] % q.in[i].block != 0)
      return Fit::No("the channels of an input are no whole blocks");
  }
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 0, 2 * static_cast<double>(q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->batch = q.out[0].dims[0];
  for (std::size_t i = 0; i < q.own_inputs; ++i)
    state->floats.push_back(q.in[i].stored() / state->batch);
  state->total = q.out[0].stored() / state->batch;
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 16384;
  const State& s = args.State<State>();
  std::int64_t at = 0;
  for (std::size_t i = 0; i < s.floats.size(); ++i) {
    for (std::int64_t n = 0; n < s.batch; ++n) {
      const float* from = args.In(i) + n * s.floats[i];
      float* to = args.Out(0) + n * s.total + at;
      Parallel(args, s.floats[i], kGrain, [&](std::int64_t begin, std::int64_t end, int) {
        std::memcpy(to + begin, from + begin,
                    static_cast<std::size_t>(end - begin) * sizeof(float));
      });
    }
    at += s.floats[i];
  }
}

}  // namespace

std::vector<KernelDef> BlockedConcatKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Concat.f32.blocked",
                        .op = "Concat",
                        .blocked = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
