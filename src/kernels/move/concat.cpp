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
  std::vector<std::int64_t> bytes;  // of one picture of each input
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
    state->bytes.push_back(q.in[i].bytes() / state->batch);
  state->total = q.out[0].bytes() / state->batch;
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 65536;
  const State& s = args.State<State>();
  std::int64_t at = 0;
  for (std::size_t i = 0; i < s.bytes.size(); ++i) {
    for (std::int64_t n = 0; n < s.batch; ++n) {
      const std::byte* from = args.In<std::byte>(i) + n * s.bytes[i];
      std::byte* to = args.Out<std::byte>(0) + n * s.total + at;
      Parallel(args, s.bytes[i], kGrain, [&](std::int64_t begin, std::int64_t end, int) {
        std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
      });
    }
    at += s.bytes[i];
  }
}

}  // namespace

std::vector<KernelDef> BlockedConcatKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Concat.blocked",
                        .op = "Concat",
                        .blocked = true,
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
