// Blocks of rows against one tree after the other, eight rows side by side.
#include <algorithm>
#include <limits>

#include "kernels/tree/forest.h"
#include "kernels/tree/walked_forest.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kRowsPerBlock = 64;  // their scores and features stay in the first cache
constexpr int kLanes = 8;                   // rows that walk a tree side by side

template <class T>
struct State {
  WalkedForest<T> forest;
  std::int64_t rows = 0, features = 0, targets = 0;
  bool average = false;
};

// The leaf of each of kLanes rows, without a branch that depends on the data.
template <class T>
void WalkPlain(const State<T>& s, const Tree& tree, const T* x, std::int32_t* at) {
  const Node<T>* nodes = s.forest.nodes.data();
  for (int lane = 0; lane < kLanes; ++lane) at[lane] = tree.root;
  for (std::int32_t step = 0; step < tree.steps; ++step) {
    std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
    for (int lane = 0; lane < kLanes; ++lane) {
      const Node<T>& node = nodes[at[lane]];
      const T value = x[lane * s.features + node.feature];
      const bool yes = (value < node.split) | ((value != value) & node.missing_is_yes);
      at[lane] = yes ? node.yes : node.no;
      lowest = std::min(lowest, at[lane]);
    }
    if (lowest >= s.forest.first_leaf) return;
  }
}

// Adds one tree after the other to the scores, in their order: the sum is the reference's.
template <class T>
void ScoreBlock(const State<T>& s, const T* x, T* y, std::int64_t rows) {
  std::fill_n(y, rows * s.targets, T(0));
  for (const Tree& tree : s.forest.trees) {
    std::int64_t row = 0;
    const auto add = [&](std::int64_t r, std::int32_t at) {
      const auto leaf = static_cast<std::size_t>(at - s.forest.first_leaf);
      y[r * s.targets + s.forest.leaf_targets[leaf]] += ValueOf(s.forest, leaf, x + r * s.features);
    };
    if (tree.plain) {
      for (; row + kLanes <= rows; row += kLanes) {
        std::int32_t at[kLanes];
        WalkPlain(s, tree, x + row * s.features, at);
        for (int lane = 0; lane < kLanes; ++lane) add(row + lane, at[lane]);
      }
    }
    for (; row < rows; ++row) add(row, WalkTo(s.forest, tree, x + row * s.features));
  }
  if (!s.average) return;
  const auto trees = static_cast<double>(s.forest.trees.size());
  for (std::int64_t i = 0; i < rows * s.targets; ++i)
    y[i] = static_cast<T>(static_cast<double>(y[i]) / trees);
}

double Cost(const KernelQuery& q) {
  const ForestSize size = SizeOf(q);
  return size.rows * size.trees * (2 + 1.1 * size.depth);
}

template <class T>
Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  ATH_TRY(const ops::Forest forest, ForestFor(q));
  auto state = std::make_shared<State<T>>();
  state->forest = WalkedOf<T>(forest);
  state->rows = q.in[0].dims[0];
  state->features = q.in[0].dims[1];
  state->targets = q.out[0].dims[1];
  state->average = q.Int("aggregate_function") == 0;
  return Prepared{.state = std::move(state)};
}

template <class T>
void Run(const KernelArgs& args) {
  const State<T>& s = args.State<State<T>>();
  const std::int64_t blocks = (s.rows + kRowsPerBlock - 1) / kRowsPerBlock;
  Parallel(args, blocks, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t row = block * kRowsPerBlock;
      ScoreBlock(s, args.In<T>(0) + row * s.features, args.Out<T>(0) + row * s.targets,
                 std::min(kRowsPerBlock, s.rows - row));
    }
  });
}

}  // namespace

std::vector<KernelDef> WalkForestKernels() {
  std::vector<KernelDef> defs;
  for (const std::string op : {"TreeEnsemble", "LinearTreeEnsemble"}) {
    defs.push_back({.name = op + ".f32.walk",
                    .op = op,
                    .fits = [](const KernelQuery& q) { return FitsForest(q, DType::kF32); },
                    .cost_ns = Cost,
                    .prepare = Prepare<float>,
                    .run = Run<float>});
    defs.push_back({.name = op + ".f64.walk",
                    .op = op,
                    .fits = [](const KernelQuery& q) { return FitsForest(q, DType::kF64); },
                    .cost_ns = Cost,
                    .prepare = Prepare<double>,
                    .run = Run<double>});
  }
  return defs;
}

}  // namespace athanor::kernels
