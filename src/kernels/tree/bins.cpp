// Blocks of rows against one tree after the other, all tests of a tree for 64 rows at once.
#include <algorithm>

#include "kernels/every_isa.h"
#include "kernels/tree/binned_forest.h"
#include "kernels/tree/forest.h"

namespace athanor::kernels {
namespace {

constexpr auto kRows = static_cast<std::int64_t>(kTileRows);
constexpr std::size_t kMostTiles = 4;          // of a block: they share what is read of a tree
constexpr std::size_t kBlockBytes = 16 << 10;  // of bins, so that a block stays in the first cache
constexpr std::size_t kMostNodes = std::size_t{1} << 22;

const ForestTable& TableOf(Isa isa) {
  const ForestTable* const tables[] = {&base::kForests, &avx2::kForests, &avx512::kForests};
  return *tables[static_cast<std::size_t>(isa)];
}

void Rank(const ForestTable& table, const BinSearch<float>& search, const float* x,
          std::size_t stride, std::size_t rows, std::int32_t* ranks) {
  table.rank_f32(search, x, stride, rows, ranks);
}
void Rank(const ForestTable& table, const BinSearch<double>& search, const double* x,
          std::size_t stride, std::size_t rows, std::int32_t* ranks) {
  table.rank_f64(search, x, stride, rows, ranks);
}
void AddUp(const ForestTable& table, const float* const* values, const std::uint8_t* leaves,
           std::size_t trees, float* sums) {
  table.add_f32(values, leaves, trees, sums);
}
void AddUp(const ForestTable& table, const double* const* values, const std::uint8_t* leaves,
           std::size_t trees, double* sums) {
  table.add_f64(values, leaves, trees, sums);
}

template <class T>
struct State {
  std::shared_ptr<const BinnedForest<T>> forest;
  const ForestTable* table = nullptr;
  std::int64_t rows = 0, features = 0, targets = 0;
  bool average = false;
  std::size_t tiles = 1;  // of a block

  // One thread's memory: bins [tile][column][row], sums [tile][target][row], steps, ranks, leaves.
  std::size_t bin_bytes() const { return forest->columns * kTileRows; }
  std::size_t sum_bytes() const {
    return static_cast<std::size_t>(targets) * kTileRows * sizeof(T);
  }
  std::size_t step_bytes() const { return forest->most_steps * kTileRows; }
  static constexpr std::size_t kRankBytes = kTileRows * sizeof(std::int32_t);
  static constexpr std::size_t kLeafBytes = 8 * kTileRows;
  std::size_t thread_bytes() const {
    return tiles * (bin_bytes() + sum_bytes()) + step_bytes() + kRankBytes + kLeafBytes;
  }
};

template <class T>
struct Memory {
  Memory(const State<T>& s, std::byte* at)
      : bins(reinterpret_cast<std::uint8_t*>(at)),
        sums(reinterpret_cast<T*>(at + s.tiles * s.bin_bytes())),
        steps(reinterpret_cast<std::uint8_t*>(sums) + s.tiles * s.sum_bytes()),
        ranks(reinterpret_cast<std::int32_t*>(steps + s.step_bytes())),
        leaves(reinterpret_cast<std::uint8_t*>(ranks) + State<T>::kRankBytes) {}
  std::uint8_t* bins;
  T* sums;
  std::uint8_t* steps;
  std::int32_t* ranks;
  std::uint8_t* leaves;
};

// The columns of up to kTileRows rows.
template <class T>
void FillBins(const State<T>& s, const T* x, std::size_t rows, std::int32_t* ranks,
              std::uint8_t* bins) {
  const BinnedForest<T>& forest = *s.forest;
  const auto stride = static_cast<std::size_t>(s.features);
  std::fill_n(ranks, kTileRows, 0);
  for (const BinnedFeature<T>& feature : forest.features) {
    Rank(*s.table, feature.search, x + feature.feature, stride, rows, ranks);
    std::uint8_t* column = bins + feature.first_column * kTileRows;
    for (const BinColumn& part : feature.columns) {
      s.table->bin(ranks, part.first, part.missing_is_high, column);
      column += kTileRows;
    }
  }
  std::uint8_t* column = bins + (forest.columns - forest.asked.size()) * kTileRows;
  for (const AskedColumn<T>& asked : forest.asked) {
    for (std::size_t row = 0; row < rows; ++row) {
      const bool yes = Answer(asked.node, asked.question, x[row * stride + asked.node.feature]);
      column[row] = static_cast<std::uint8_t>((yes ? 0x00 : 0xFF) ^ kBinSign);
    }
    column += kTileRows;
  }
}

// Adds the trees of one run to the sums of one tile.
template <class T>
void AddRun(const State<T>& s, const TreeRun& run, const std::uint8_t* bins, const T* x,
            std::size_t rows, const Memory<T>& memory, T* sums) {
  const BinnedForest<T>& forest = *s.forest;
  if (run.walked >= 0) {
    const Tree& tree = forest.walked.trees[static_cast<std::size_t>(run.walked)];
    for (std::size_t row = 0; row < rows; ++row) {
      const std::int32_t at =
          WalkTo(forest.walked, tree, x + row * static_cast<std::size_t>(s.features));
      const auto leaf = static_cast<std::size_t>(at - forest.walked.first_leaf);
      const auto target = static_cast<std::size_t>(forest.walked.leaf_targets[leaf]);
      sums[target * kTileRows + row] += forest.walked.leaf_values[leaf];
    }
    return;
  }
  const auto begin = static_cast<std::size_t>(run.begin), end = static_cast<std::size_t>(run.end);
  for (std::size_t i = begin; i < end; ++i)
    s.table->evaluate(forest.programs[i], bins, memory.steps,
                      memory.leaves + (i - begin) * kTileRows);
  if (run.target != TreeRun::kMixed) {
    T* const of_target = sums + static_cast<std::size_t>(run.target) * kTileRows;
    AddUp(*s.table, forest.values.data() + begin, memory.leaves, end - begin, of_target);
    return;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t leaf = memory.leaves[row];
    const auto target = static_cast<std::size_t>(forest.targets[begin][leaf]);
    sums[target * kTileRows + row] += forest.values[begin][leaf];
  }
}

template <class T>
void ScoreBlock(const State<T>& s, const T* x, T* y, std::size_t rows, const Memory<T>& memory) {
  const auto features = static_cast<std::size_t>(s.features);
  const auto targets = static_cast<std::size_t>(s.targets);
  const std::size_t tiles = (rows + kTileRows - 1) / kTileRows;
  const std::size_t sum_count = s.sum_bytes() / sizeof(T);
  const auto rows_of = [&](std::size_t tile) {
    return std::min(kTileRows, rows - tile * kTileRows);
  };
  for (std::size_t tile = 0; tile < tiles; ++tile)
    FillBins(s, x + tile * kTileRows * features, rows_of(tile), memory.ranks,
             memory.bins + tile * s.bin_bytes());
  std::fill_n(memory.sums, tiles * sum_count, T(0));
  for (const TreeRun& run : s.forest->runs) {
    for (std::size_t tile = 0; tile < tiles; ++tile)
      AddRun(s, run, memory.bins + tile * s.bin_bytes(), x + tile * kTileRows * features,
             rows_of(tile), memory, memory.sums + tile * sum_count);
  }
  const auto trees = static_cast<double>(s.forest->walked.trees.size());
  for (std::size_t row = 0; row < rows; ++row) {
    const T* sums = memory.sums + row / kTileRows * sum_count + row % kTileRows;
    for (std::size_t target = 0; target < targets; ++target) {
      const T sum = sums[target * kTileRows];
      y[row * targets + target] =
          s.average ? static_cast<T>(static_cast<double>(sum) / trees) : sum;
    }
  }
}

template <class T>
void Run(const KernelArgs& args) {
  const State<T>& s = args.State<State<T>>();
  const std::int64_t block_rows = kRows * static_cast<std::int64_t>(s.tiles);
  Parallel(args, (s.rows + block_rows - 1) / block_rows, 1,
           [&](std::int64_t begin, std::int64_t end, int thread) {
             const Memory<T> memory(
                 s, args.scratch + static_cast<std::size_t>(thread) * s.thread_bytes());
             for (std::int64_t block = begin; block < end; ++block) {
               const std::int64_t row = block * block_rows;
               ScoreBlock(s, args.In<T>(0) + row * s.features, args.Out<T>(0) + row * s.targets,
                          static_cast<std::size_t>(std::min(block_rows, s.rows - row)), memory);
             }
           });
}

template <class T>
Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  ATH_TRY(const ops::Forest forest, ForestFor(q));
  auto state = std::make_shared<State<T>>();
  state->forest = BinForest<T>(forest);
  state->table = &TableOf(q.isa);
  state->rows = q.in[0].dims[0];
  state->features = q.in[0].dims[1];
  state->targets = q.out[0].dims[1];
  state->average = q.Int("aggregate_function") == 0;
  state->tiles = std::clamp<std::size_t>(kBlockBytes / std::max<std::size_t>(state->bin_bytes(), 1),
                                         1, kMostTiles);
  // Every thread has a block, where there are rows enough.
  const auto threads = static_cast<std::size_t>(q.threads);
  const std::size_t all_tiles = (static_cast<std::size_t>(state->rows) + kTileRows - 1) / kTileRows;
  state->tiles = std::clamp<std::size_t>((all_tiles + threads - 1) / threads, 1, state->tiles);
  return Prepared{.state = state,
                  .scratch_bytes = static_cast<std::int64_t>(threads * state->thread_bytes())};
}

Fit Fits(const KernelQuery& q, DType dtype) {
  if (q.Ints("nodes_featureids").size() > kMostNodes) return Fit::No("more than 4 million nodes");
  return FitsForest(q, dtype);
}

double Cost(const KernelQuery& q) {
  const ForestSize size = SizeOf(q);
  const double tiles = std::ceil(size.rows / static_cast<double>(kRows));
  const double lanes = q.isa == Isa::kBase ? 0.5 : q.isa == Isa::kAvx2 ? 1.0 : 2.0;
  // Per tile: a test for all its rows, a tree's overhead and values, a number's bin.
  return tiles * (0.8 / lanes * size.nodes + 22 * size.trees + 100 * size.features);
}

}  // namespace

std::vector<KernelDef> BinsForestKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "TreeEnsemble.f32.bins",
                        .op = "TreeEnsemble",
                        .fits = [](const KernelQuery& q) { return Fits(q, DType::kF32); },
                        .cost_ns = Cost,
                        .prepare = Prepare<float>,
                        .run = Run<float>});
  AddForEveryIsa(defs, {.name = "TreeEnsemble.f64.bins",
                        .op = "TreeEnsemble",
                        .fits = [](const KernelQuery& q) { return Fits(q, DType::kF64); },
                        .cost_ns = Cost,
                        .prepare = Prepare<double>,
                        .run = Run<double>});
  return defs;
}

}  // namespace athanor::kernels
