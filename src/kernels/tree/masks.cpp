// A few rows, one after the other, each against all tests of a tree at once (mask_forest.h).
#include <algorithm>

#include "kernels/tree/forest.h"
#include "kernels/tree/mask_forest.h"
#include "kernels/tree/table.h"

namespace athanor::kernels {
namespace {

// Blocks of rows (bins.cpp) are faster from fewer rows on, and whether a forest fits is known only
// when it has been made.
constexpr std::int64_t kMostRows = 64;
constexpr std::int64_t kGrain = 4;  // rows that are worth a thread

template <class T>
struct State {
  std::unique_ptr<const MaskForest<T>> forest;
  Table<T> table;
  std::int64_t rows = 0, targets = 0;
  double trees = 0;
  bool average = false;

  // A row of a thread, where it does not lie in memory.
  std::size_t row_bytes() const { return (table.features() * sizeof(T) + 63) / 64 * 64; }
};

template <class T>
Result<std::unique_ptr<const MaskForest<T>>> Make(const KernelQuery& q) {
  ATH_TRY(const ops::Forest forest, ForestFor(q));
  return MaskForest<T>::Make(WalkedOf<T>(forest));
}

template <class T>
Fit Fits(const KernelQuery& q) {
  const Fit fit = FitsForest(q, sizeof(T) == 4 ? DType::kF32 : DType::kF64, true);
  if (!fit.yes()) return fit;
  if (q.in[0].dims[0] > kMostRows) return Fit::No(fmt::format("more than {} rows", kMostRows));
  const auto forest = Make<T>(q);
  return forest.ok() ? Fit::Yes() : Fit::No(forest.status().message());
}

// A word of tests for a tree, or a part of one; deep trees are walked below two levels more.
double Cost(const KernelQuery& q) {
  const ForestSize size = SizeOf(q);
  const double words = std::clamp((1 + size.nodes / std::max(size.trees, 1.0)) / 64, 0.125, 1.0);
  const double walked = std::max(0.0, size.depth - 9);
  return size.rows * (size.trees * (0.5 + 1.5 * words + 1.3 * walked) + 2 * size.features);
}

template <class T>
Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State<T>>();
  ATH_TRY(state->forest, Make<T>(q));
  state->rows = q.in[0].dims[0];
  state->table = Table<T>(q);
  state->targets = q.out[0].dims[1];
  state->trees = SizeOf(q).trees;
  state->average = q.Int("aggregate_function") == 0;
  const auto scratch = static_cast<std::size_t>(q.threads) * state->row_bytes();
  return Prepared{.state = std::move(state), .scratch_bytes = static_cast<std::int64_t>(scratch)};
}

template <class T>
void Run(const KernelArgs& args) {
  const State<T>& s = args.State<State<T>>();
  Parallel(args, s.rows, kGrain, [&](std::int64_t begin, std::int64_t end, int thread) {
    auto* const room =
        reinterpret_cast<T*>(args.scratch + static_cast<std::size_t>(thread) * s.row_bytes());
    for (std::int64_t row = begin; row < end; ++row) {
      const T* const x = s.table.Row(args, static_cast<std::size_t>(row), room);
      T* const y = args.Out<T>(0) + row * s.targets;
      s.forest->Score(x, y, static_cast<std::size_t>(s.targets));
      for (std::int64_t i = 0; s.average && i < s.targets; ++i)
        y[i] = static_cast<T>(static_cast<double>(y[i]) / s.trees);
    }
  });
}

}  // namespace

std::vector<KernelDef> MaskForestKernels() {
  return {{.name = "TreeEnsemble.f32.masks.avx512",
           .op = "TreeEnsemble",
           .isa = Isa::kAvx512,
           .fits = Fits<float>,
           .cost_ns = Cost,
           .prepare = Prepare<float>,
           .run = Run<float>},
          {.name = "TreeEnsemble.f64.masks.avx512",
           .op = "TreeEnsemble",
           .isa = Isa::kAvx512,
           .fits = Fits<double>,
           .cost_ns = Cost,
           .prepare = Prepare<double>,
           .run = Run<double>}};
}

}  // namespace athanor::kernels
