// Blocks of rows against one tree after the other, all tests of a tree for 64 rows at once.
#include <algorithm>

#include "kernels/every_isa.h"
#include "kernels/tree/binned_forest.h"
#include "kernels/tree/forest.h"
#include "kernels/tree/table.h"

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

template <class T>
const Adders<T>& AddersOf(const ForestTable& table) {
  if constexpr (sizeof(T) == 4) {
    return table.f32;
  } else {
    return table.f64;
  }
}

template <class T>
struct State {
  std::shared_ptr<const BinnedForest<T>> forest;
  const ForestTable* table = nullptr;
  const Adders<T>* adders = nullptr;
  Table<T> columns;
  std::int64_t rows = 0, targets = 0;
  bool average = false;
  std::size_t tiles = 1;  // of a block

  // One thread's memory: bins [tile][column][row], sums [tile][target][slot], steps, ranks, leaves,
  // one row or 64 numbers of a column.
  std::size_t bin_bytes() const { return forest->columns * kTileRows; }
  std::size_t sum_bytes() const {
    return static_cast<std::size_t>(targets) * kTileRows * sizeof(T);
  }
  std::size_t step_bytes() const { return forest->most_steps * kTileRows; }
  static constexpr std::size_t kRankBytes = kTileRows * sizeof(std::int32_t);
  static constexpr std::size_t kLeafBytes = 8 * kTileRows;
  std::size_t number_bytes() const {
    return (std::max(columns.features(), kTileRows) * sizeof(T) + 63) / 64 * 64;
  }
  std::size_t thread_bytes() const {
    return tiles * (bin_bytes() + sum_bytes()) + step_bytes() + kRankBytes + kLeafBytes +
           number_bytes();
  }
};

template <class T>
struct Memory {
  Memory(const State<T>& s, std::byte* at)
      : bins(reinterpret_cast<std::uint8_t*>(at)),
        sums(reinterpret_cast<T*>(at + s.tiles * s.bin_bytes())),
        steps(reinterpret_cast<std::uint8_t*>(sums) + s.tiles * s.sum_bytes()),
        ranks(reinterpret_cast<std::int32_t*>(steps + s.step_bytes())),
        leaves(reinterpret_cast<std::uint8_t*>(ranks) + State<T>::kRankBytes),
        numbers(reinterpret_cast<T*>(leaves + State<T>::kLeafBytes)) {}
  std::uint8_t* bins;
  T* sums;
  std::uint8_t* steps;
  std::int32_t* ranks;
  std::uint8_t* leaves;
  T* numbers;
};

// Rows of a tile: where they begin in the table, and how many there are.
struct TileRows {
  std::size_t first = 0, count = 0;
};

// The ranks of a column.
template <class T>
void RankColumn(const State<T>& s, const KernelArgs& args, const BinnedFeature<T>& feature,
                TileRows rows, const Memory<T>& memory) {
  const auto numbers = s.columns.Column(args, feature.feature, rows.first);
  if (!s.columns.narrow()) {
    return Rank(*s.table, feature.search, numbers.template As<T>(), numbers.stride, rows.count,
                memory.ranks);
  }
  const auto* const narrow = numbers.template As<float>();
  if (s.table->searches_heaps && feature.search.heap != nullptr &&
      numbers.stride <= BinSearch<T>::kMostStride) {
    // Numbers of f32 are not below a threshold exactly where they are not below its key.
    const BinSearch<float> keys = {.heap = feature.search.heap,
                                   .heap_levels = feature.search.heap_levels};
    return Rank(*s.table, keys, narrow, numbers.stride, rows.count, memory.ranks);
  }
  for (std::size_t row = 0; row < rows.count; ++row)
    memory.numbers[row] = static_cast<T>(narrow[row * numbers.stride]);
  Rank(*s.table, feature.search, memory.numbers, 1, rows.count, memory.ranks);
}

// The bins of a tile.
template <class T>
void FillBins(const State<T>& s, const KernelArgs& args, TileRows rows, const Memory<T>& memory,
              std::uint8_t* bins) {
  const BinnedForest<T>& forest = *s.forest;
  std::fill_n(memory.ranks, kTileRows, 0);
  for (const BinnedFeature<T>& feature : forest.features) {
    RankColumn(s, args, feature, rows, memory);
    std::uint8_t* column = bins + feature.first_column * kTileRows;
    for (const BinColumn& part : feature.columns) {
      s.table->bin(memory.ranks, part.first, part.missing_is_high, column);
      column += kTileRows;
    }
  }
  std::uint8_t* column = bins + (forest.columns - forest.asked.size()) * kTileRows;
  for (const AskedColumn<T>& asked : forest.asked) {
    for (std::size_t row = 0; row < rows.count; ++row) {
      const T x = s.columns.Number(args, asked.node.feature, rows.first + row);
      column[row] = static_cast<std::uint8_t>(
          (Answer(asked.node, asked.question, x) ? 0x00 : 0xFF) ^ kBinSign);
    }
    column += kTileRows;
  }
}

// Adds the trees of one run to the sums of one tile.
template <class T>
void AddRun(const State<T>& s, const KernelArgs& args, const TreeRun& run, TileRows rows,
            const std::uint8_t* bins, const Memory<T>& memory, T* sums) {
  const BinnedForest<T>& forest = *s.forest;
  const std::uint8_t* const slots = s.adders->slots;
  if (run.walked >= 0) {
    const Tree& tree = forest.walked.trees[static_cast<std::size_t>(run.walked)];
    for (std::size_t row = 0; row < rows.count; ++row) {
      const T* const x = s.columns.Row(args, rows.first + row, memory.numbers);
      const std::int32_t at = WalkTo(forest.walked, tree, x);
      const auto leaf = static_cast<std::size_t>(at - forest.walked.first_leaf);
      const auto target = static_cast<std::size_t>(forest.walked.leaf_targets[leaf]);
      sums[target * kTileRows + slots[row]] += forest.walked.leaf_values[leaf];
    }
    return;
  }
  const auto begin = static_cast<std::size_t>(run.begin), end = static_cast<std::size_t>(run.end);
  const bool mixed = run.target == TreeRun::kMixed;
  T* const of_target = sums + (mixed ? 0 : static_cast<std::size_t>(run.target) * kTileRows);
  if (run.form == TreeRun::Form::kOblivious) {
    s.adders->add_oblivious(forest.programs.data() + begin, forest.planes.data() + begin,
                            end - begin, bins, of_target);
    return;
  }
  for (std::size_t i = begin; i < end; ++i)
    s.table->evaluate(forest.programs[i], bins, memory.steps,
                      memory.leaves + (i - begin) * kTileRows);
  if (run.form == TreeRun::Form::kPlanes) {
    s.adders->add_planes(forest.planes.data() + begin, memory.leaves, end - begin, of_target);
    return;
  }
  if (!mixed) {
    s.adders->add(forest.values.data() + begin, memory.leaves, end - begin, of_target);
    return;
  }
  for (std::size_t row = 0; row < rows.count; ++row) {
    const std::size_t leaf = memory.leaves[row];
    const auto target = static_cast<std::size_t>(forest.targets[begin][leaf]);
    sums[target * kTileRows + slots[row]] += forest.values[begin][leaf];
  }
}

template <class T>
void ScoreBlock(const State<T>& s, const KernelArgs& args, TileRows block,
                const Memory<T>& memory) {
  const auto targets = static_cast<std::size_t>(s.targets);
  const std::size_t tiles = (block.count + kTileRows - 1) / kTileRows;
  const std::size_t sum_count = s.sum_bytes() / sizeof(T);
  const auto rows_of = [&](std::size_t tile) {
    const std::size_t before = tile * kTileRows;
    return TileRows{block.first + before, std::min(kTileRows, block.count - before)};
  };
  for (std::size_t tile = 0; tile < tiles; ++tile)
    FillBins(s, args, rows_of(tile), memory, memory.bins + tile * s.bin_bytes());
  std::fill_n(memory.sums, tiles * sum_count, T(0));
  for (const TreeRun& run : s.forest->runs) {
    for (std::size_t tile = 0; tile < tiles; ++tile)
      AddRun(s, args, run, rows_of(tile), memory.bins + tile * s.bin_bytes(), memory,
             memory.sums + tile * sum_count);
  }
  T* const y = args.Out<T>(0) + block.first * targets;
  const auto trees = static_cast<double>(s.forest->walked.trees.size());
  for (std::size_t row = 0; row < block.count; ++row) {
    const T* sums = memory.sums + row / kTileRows * sum_count + s.adders->slots[row % kTileRows];
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
               const std::int64_t rows = std::min(block_rows, s.rows - row);
               ScoreBlock(s, args, {static_cast<std::size_t>(row), static_cast<std::size_t>(rows)},
                          memory);
             }
           });
}

template <class T>
Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  ATH_TRY(const ops::Forest forest, ForestFor(q));
  auto state = std::make_shared<State<T>>();
  state->table = &TableOf(q.isa);
  state->adders = &AddersOf<T>(*state->table);
  state->forest = BinForest<T>(forest, state->adders->add_planes != nullptr);
  state->rows = q.in[0].dims[0];
  state->columns = Table<T>(q);
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
  return FitsForest(q, dtype, true);
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
