// Shrink of integers, whose borders are floats: computed in double.
#include "kernels/broadcast.h"
#include "kernels/elementwise/element.h"
#include "ops/math/number.h"

namespace athanor::kernels {
namespace {

using Types = TypeList<std::int8_t, std::uint8_t, std::int32_t, std::int64_t>;

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  std::int64_t count = 0;
  double border = 0, bias = 0;
};

Fit Fits(const KernelQuery& q) {
  return IsOneOf(Types{}, q.in[0].dtype) ? Fit::Yes() : Fit::No("integers only");
}

double Cost(const KernelQuery& q) { return 200 + 2 * static_cast<double>(q.in[0].count()); }

template <class T>
void RunTyped(const KernelArgs& args, const State& s) {
  Parallel(args, s.count, kElementGrain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto x = static_cast<double>(args.In<T>(0)[i]);
      const double moved = x < -s.border ? x + s.bias : x > s.border ? x - s.bias : 0;
      args.Out<T>(0)[i] = ops::SaturateCast<T>(moved);
    }
  });
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->count = q.in[0].count();
  state->border = static_cast<double>(q.Float("lambd"));
  state->bias = static_cast<double>(q.Float("bias"));
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, q.in[0].dtype, [&](auto tag) -> Status {
    state->run = RunTyped<typename decltype(tag)::Type>;
    return {};
  }));
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.run(args, s);
}

}  // namespace

std::vector<KernelDef> ShrinkKernels() {
  return {{.name = "Shrink.integers",
           .op = "Shrink",
           .in_place = true,
           .fits = Fits,
           .cost_ns = Cost,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
