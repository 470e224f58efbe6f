// CombinationStatistics: the tables are built once, rows are looked up side by side in threads.
#include "ops/ml/combinations.h"

#include "kernels/tree/forest.h"

namespace athanor::kernels {
namespace {

struct State {
  ops::Combinations combinations;
  std::size_t rows = 0, categories = 0, numbers = 0, values = 0;
};

Fit Fits(const KernelQuery& q) {
  if (q.Has(1) && q.in[0].dims[0] != q.in[1].dims[0]) return Fit::No("as many rows of both only");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  // A lookup misses the caches where its table is large.
  return 30.0 * static_cast<double>(q.in[0].dims[0]) *
         static_cast<double>(q.Ints("entry_counts").size());
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  ATH_TRY(state->combinations, ops::Combinations::Of(*q.attributes));
  state->rows = static_cast<std::size_t>(q.in[0].dims[0]);
  state->categories = static_cast<std::size_t>(q.in[0].dims[1]);
  state->numbers = q.Has(1) ? static_cast<std::size_t>(q.in[1].dims[1]) : 0;
  state->values = static_cast<std::size_t>(q.out[0].dims[1]);
  return Prepared{.state = std::move(state)};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  constexpr std::int64_t kGrain = 64;
  Parallel(args, static_cast<std::int64_t>(s.rows), kGrain,
           [&](std::int64_t begin, std::int64_t end, int) {
             for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end);
                  ++row) {
               const float* numbers = args.In<float>(1);
               s.combinations.Find({args.In<std::int32_t>(0) + row * s.categories, s.categories},
                                   numbers == nullptr
                                       ? std::span<const float>()
                                       : std::span(numbers + row * s.numbers, s.numbers),
                                   {args.Out<float>(0) + row * s.values, s.values});
             }
           });
}

}  // namespace

std::vector<KernelDef> CombinationKernels() {
  return {{.name = "CombinationStatistics.f32.tables",
           .op = "CombinationStatistics",
           .fits = Fits,
           .cost_ns = Cost,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
