// One row against eight trees side by side: the walks down different trees do not wait for each
// other, and no branch depends on the data.
#include <algorithm>
#include <bit>
#include <deque>
#include <type_traits>

#include "kernels/tree/forest.h"
#include "kernels/tree/walked_forest.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kLanes = 8;
constexpr std::size_t kMostSlots = 1 << 16;
// Rows have work for every thread from here on.
constexpr std::int64_t kGrain = 4;

// Numbers become unsigned integers in the same order, which take fewer instructions to compare.
template <class T>
using Key = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// -0 counts as 0. Above 0 and below the largest key, which stand for what is below and above all.
template <class T>
Key<T> KeyOf(T x) {
  constexpr Key<T> kSign = Key<T>{1} << (8 * sizeof(T) - 1);
  const auto bits = std::bit_cast<Key<T>>(x + T(0));
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

// The children of a node lie side by side, `skip` nodes on: the first where the key in the slot
// is below the split. A leaf leads to itself.
template <class T>
struct PackedNode {
  Key<T> split = 0;
  std::uint16_t slot = 0;
  std::uint16_t skip = 0;
};

struct PackedTree {
  std::uint32_t root = 0;
  std::uint32_t steps = 0;   // to the deepest leaf
  std::int32_t walked = -1;  // a tree that could not be packed: its place in WalkedForest::trees
};

// A row becomes slots: slot 0 is below everything, then each feature twice, with NaN as below
// everything and as not below anything, then a slot for the answer of each test that is no "<".
template <class T>
struct State {
  WalkedForest<T> walked;
  std::vector<PackedNode<T>> nodes;
  std::vector<std::int32_t> leaves;  // of the nodes: which leaf of the walked forest
  std::vector<PackedTree> trees;
  std::vector<std::size_t> asked;  // the walked nodes that ask something else
  std::int64_t rows = 0, features = 0, targets = 0;
  bool average = false;

  std::size_t slots() const { return 1 + 2 * static_cast<std::size_t>(features) + asked.size(); }
  std::size_t thread_bytes() const { return (slots() * sizeof(T) + 63) / 64 * 64; }
};

template <class T>
class Packer {
 public:
  explicit Packer(State<T>& state) : s_(state) {}

  void Add(std::size_t tree) {
    const std::size_t nodes = s_.nodes.size(), asked = s_.asked.size();
    const Tree& from = s_.walked.trees[tree];
    s_.trees.push_back({static_cast<std::uint32_t>(nodes), static_cast<std::uint32_t>(from.steps)});
    if (Pack(from.root)) return;
    s_.trees.back() = {.root = static_cast<std::uint32_t>(nodes),
                       .walked = static_cast<std::int32_t>(tree)};
    s_.nodes.resize(nodes + 1);
    s_.nodes.back() = {.split = 1};
    s_.leaves.resize(nodes + 1);
    s_.asked.resize(asked);
  }

 private:
  struct Open {
    std::int32_t from;
    std::size_t to;
  };

  // Breadth first, so that children are near. False when they are too far, or when branches that
  // meet repeat too much.
  bool Pack(std::int32_t root) {
    constexpr std::size_t kMost = std::size_t{1} << 26;
    std::deque<Open> open = {{root, Grow(1)}};
    while (!open.empty()) {
      const Open at = open.front();
      open.pop_front();
      const std::int32_t from = Pass(at.from);
      if (from >= s_.walked.first_leaf) {
        s_.nodes[at.to].split = 1;
        s_.leaves[at.to] = from - s_.walked.first_leaf;
        continue;
      }
      const std::size_t skip = s_.nodes.size() - at.to, children = Grow(2);
      if (skip >= kMostSlots || children > kMost) return false;
      const Node<T>& node = s_.walked.nodes[static_cast<std::size_t>(from)];
      open.push_back({node.yes, children});
      open.push_back({node.no, children + 1});
      const std::size_t slot = SlotOf(static_cast<std::size_t>(from));
      if (slot >= kMostSlots) return false;
      s_.nodes[at.to] = {
          .split = s_.walked.less[static_cast<std::size_t>(from)] ? KeyOf(node.split) : Key<T>{1},
          .slot = static_cast<std::uint16_t>(slot),
          .skip = static_cast<std::uint16_t>(skip)};
    }
    return true;
  }

  // The first of so many new nodes.
  std::size_t Grow(std::size_t count) {
    const std::size_t first = s_.nodes.size();
    s_.nodes.resize(first + count);
    s_.leaves.resize(first + count);
    return first;
  }

  // Tests that have one way only are passed.
  std::int32_t Pass(std::int32_t at) const {
    for (; at < s_.walked.first_leaf; at = s_.walked.nodes[static_cast<std::size_t>(at)].yes) {
      const Node<T>& node = s_.walked.nodes[static_cast<std::size_t>(at)];
      if (node.yes != node.no) break;
    }
    return at;
  }

  std::size_t SlotOf(std::size_t at) {
    const Node<T>& node = s_.walked.nodes[at];
    if (s_.walked.less[at])
      return 1 + 2 * std::size_t{node.feature} + (node.missing_is_yes ? 0 : 1);
    s_.asked.push_back(at);
    return s_.slots() - 1;
  }

  State<T>& s_;
};

template <class T>
void FillSlots(const State<T>& s, const T* x, Key<T>* slots) {
  constexpr Key<T> kAbove = ~Key<T>{0};
  slots[0] = 0;
  for (std::int64_t i = 0; i < s.features; ++i) {
    const bool missing = x[i] != x[i];
    const Key<T> key = KeyOf(x[i]);
    slots[1 + 2 * i] = missing ? 0 : key;
    slots[2 + 2 * i] = missing ? kAbove : key;
  }
  Key<T>* to = slots + 1 + 2 * s.features;
  for (std::size_t i = 0; i < s.asked.size(); ++i) {
    const Node<T>& node = s.walked.nodes[s.asked[i]];
    to[i] = Answer(node, s.walked.questions[s.asked[i]], x[node.feature]) ? 0 : kAbove;
  }
}

// The leaf of each of `count` trees, at most kLanes.
template <class T>
void WalkSideBySide(const State<T>& s, const PackedTree* trees, std::size_t count,
                    const Key<T>* slots, std::uint32_t* at) {
  const PackedNode<T>* const nodes = s.nodes.data();
  std::uint32_t steps = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    const PackedTree& tree = trees[std::min(lane, count - 1)];
    at[lane] = tree.root;
    steps = std::max(steps, tree.steps);
  }
  for (std::uint32_t step = 0; step < steps; ++step) {
#pragma GCC unroll 8
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const PackedNode<T>& node = nodes[at[lane]];
      at[lane] += node.skip + 1U - static_cast<std::uint32_t>(slots[node.slot] < node.split);
    }
  }
}

template <class T>
void ScoreRow(const State<T>& s, const T* x, const Key<T>* slots, T* y) {
  std::fill_n(y, s.targets, T(0));
  for (std::size_t begin = 0; begin < s.trees.size(); begin += kLanes) {
    const std::size_t count = std::min(kLanes, s.trees.size() - begin);
    std::uint32_t at[kLanes];
    WalkSideBySide(s, s.trees.data() + begin, count, slots, at);
    for (std::size_t lane = 0; lane < count; ++lane) {
      auto leaf = static_cast<std::size_t>(s.leaves[at[lane]]);
      const std::int32_t walked = s.trees[begin + lane].walked;
      if (walked >= 0) {
        const Tree& tree = s.walked.trees[static_cast<std::size_t>(walked)];
        leaf = static_cast<std::size_t>(WalkTo(s.walked, tree, x) - s.walked.first_leaf);
      }
      y[s.walked.leaf_targets[leaf]] += s.walked.leaf_values[leaf];
    }
  }
  if (!s.average) return;
  for (std::int64_t i = 0; i < s.targets; ++i)
    y[i] = static_cast<T>(static_cast<double>(y[i]) / static_cast<double>(s.trees.size()));
}

template <class T>
void Run(const KernelArgs& args) {
  const State<T>& s = args.State<State<T>>();
  Parallel(args, s.rows, kGrain, [&](std::int64_t begin, std::int64_t end, int thread) {
    auto* const slots = reinterpret_cast<Key<T>*>(args.scratch + static_cast<std::size_t>(thread) *
                                                                     s.thread_bytes());
    for (std::int64_t row = begin; row < end; ++row) {
      const T* x = args.In<T>(0) + row * s.features;
      FillSlots(s, x, slots);
      ScoreRow(s, x, slots, args.Out<T>(0) + row * s.targets);
    }
  });
}

template <class T>
Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  ATH_TRY(const ops::Forest forest, ForestFor(q));
  auto state = std::make_shared<State<T>>();
  state->walked = WalkedOf<T>(forest);
  state->rows = q.in[0].dims[0];
  state->features = q.in[0].dims[1];
  state->targets = q.out[0].dims[1];
  state->average = q.Int("aggregate_function") == 0;
  Packer<T> packer(*state);
  for (std::size_t tree = 0; tree < state->walked.trees.size(); ++tree) packer.Add(tree);
  const auto threads = static_cast<std::size_t>(q.threads);
  return Prepared{.state = state,
                  .scratch_bytes = static_cast<std::int64_t>(threads * state->thread_bytes())};
}

Fit Fits(const KernelQuery& q, DType dtype) {
  const Fit fit = FitsForest(q, dtype);
  if (!fit.yes() || q.in[0].dims[1] < 16384) return fit;
  return Fit::No("more than 16384 features");
}

double Cost(const KernelQuery& q) {
  const ForestSize size = SizeOf(q);
  return size.rows * (size.trees * (1.0 + 0.5 * size.depth) + 2 * size.features);
}

}  // namespace

std::vector<KernelDef> RowForestKernels() {
  return {{.name = "TreeEnsemble.f32.rows",
           .op = "TreeEnsemble",
           .fits = [](const KernelQuery& q) { return Fits(q, DType::kF32); },
           .cost_ns = Cost,
           .prepare = Prepare<float>,
           .run = Run<float>},
          {.name = "TreeEnsemble.f64.rows",
           .op = "TreeEnsemble",
           .fits = [](const KernelQuery& q) { return Fits(q, DType::kF64); },
           .cost_ns = Cost,
           .prepare = Prepare<double>,
           .run = Run<double>}};
}

}  // namespace athanor::kernels
