// One row after the other against sixteen trees side by side: the walks down different trees do not
// wait for each other, and no branch depends on the data. Scalar loads: gathers of AVX-512 took 1.5
// times as long (Zen 4).
#include <algorithm>
#include <bit>
#include <deque>
#include <type_traits>

#include "kernels/tree/forest.h"
#include "kernels/tree/walked_forest.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kLanes = 16;
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
// is below the split. A leaf leads to itself: its slot, whose number is its target, is below
// everything, and its split is its value.
template <class T>
struct PackedNode {
  Key<T> split = 0;
  std::uint16_t slot = 0;
  std::uint16_t skip = 0;
};

// A row becomes slots: one per target that is below everything, then each feature twice, with NaN
// as below everything and as not below anything, then a slot for the answer of each test that is
// no "<".
template <class T>
struct State {
  WalkedForest<T> walked;
  Tensor memory;  // of the nodes, so that they begin where a cache line does
  const PackedNode<T>* nodes = nullptr;
  std::vector<std::uint32_t> roots;  // and some leaves, so that groups are full
  std::vector<std::uint32_t> steps;  // of each group of kLanes trees, to the deepest leaf
  std::vector<bool> packed;          // of each tree; the others are walked one by one
  bool all_packed = true;
  std::vector<std::size_t> asked;  // the walked nodes that ask something else
  std::int64_t rows = 0, features = 0, targets = 0;
  bool average = false;

  std::size_t slots() const {
    return static_cast<std::size_t>(targets + 2 * features) + asked.size();
  }
  std::size_t thread_bytes() const { return (slots() * sizeof(T) + 63) / 64 * 64; }
};

// +0 as -0, which adds the same to a sum that began with +0: no leaf is below a slot of zero.
template <class T>
Key<T> LeafKey(T value) {
  return std::bit_cast<Key<T>>(value == T(0) ? -T(0) : value);
}
template <class T>
T LeafValue(Key<T> key) {
  return std::bit_cast<T>(key);
}

template <class T>
class Packer {
 public:
  explicit Packer(State<T>& state) : s_(state) {}

  void Add(std::size_t tree) {
    const std::size_t nodes = nodes_.size(), asked = s_.asked.size();
    const Tree& from = s_.walked.trees[tree];
    if (tree % kLanes == 0) s_.steps.push_back(0);
    s_.packed.push_back(Pack(from.root));
    if (s_.packed.back()) {
      s_.roots.push_back(static_cast<std::uint32_t>(nodes));
      s_.steps.back() = std::max(s_.steps.back(), static_cast<std::uint32_t>(from.steps));
      return;
    }
    s_.all_packed = false;
    nodes_.resize(nodes);
    s_.asked.resize(asked);
    s_.roots.push_back(AddLeaf());
  }

  Status Finish() {
    while (s_.roots.size() % kLanes != 0) s_.roots.push_back(AddLeaf());
    ATH_TRY(s_.memory,
            Tensor::Allocate(DType::kU8,
                             {static_cast<std::int64_t>(nodes_.size() * sizeof(PackedNode<T>))}));
    std::copy(nodes_.begin(), nodes_.end(), static_cast<PackedNode<T>*>(s_.memory.mutable_raw()));
    s_.nodes = static_cast<const PackedNode<T>*>(s_.memory.raw());
    return {};
  }

 private:
  static constexpr std::size_t kPerLine = 64 / sizeof(PackedNode<T>);

  // A tree of nothing but a leaf.
  std::uint32_t AddLeaf() {
    const std::size_t at = nodes_.size();
    nodes_.resize(at + kPerLine);
    nodes_[at] = {.split = 1};
    return static_cast<std::uint32_t>(at);
  }

  // Brothers, and who points to them.
  struct Open {
    std::int32_t from[2];
    std::size_t parent, count;
  };

  // A row sees one path of each tree, so what counts is how many cache lines a path touches: each
  // holds a root or two brothers and, as far as there is room, the two levels below them. False
  // when children are too far from their parents, or when branches that meet repeat too much.
  bool Pack(std::int32_t root) {
    constexpr std::size_t kMost = std::size_t{1} << 26;
    std::deque<Open> lines = {{{Pass(root), -1}, 0, 1}};
    while (!lines.empty()) {
      std::deque<Open> open = {lines.front()};
      lines.pop_front();
      const std::size_t begin = nodes_.size();
      if (begin > kMost) return false;
      nodes_.resize(begin + kPerLine);
      std::size_t used = 0;
      for (; !open.empty(); open.pop_front()) {
        const Open& at = open.front();
        if (used + at.count > kPerLine) {
          lines.push_back(at);
          continue;
        }
        const std::size_t to = begin + used;
        used += at.count;
        if (at.count == 2 && !Link(at.parent, to)) return false;
        for (std::size_t i = 0; i < at.count; ++i) {
          if (!Place(at.from[i], to + i, open)) return false;
        }
      }
    }
    return true;
  }

  bool Link(std::size_t parent, std::size_t children) {
    const std::size_t skip = children - parent;
    nodes_[parent].skip = static_cast<std::uint16_t>(skip);
    return skip < kMostSlots;
  }

  bool Place(std::int32_t from, std::size_t to, std::deque<Open>& open) {
    if (from >= s_.walked.first_leaf) {
      const auto leaf = static_cast<std::size_t>(from - s_.walked.first_leaf);
      if (static_cast<std::size_t>(s_.walked.leaf_targets[leaf]) >= kMostSlots) return false;
      nodes_[to] = {.split = LeafKey(s_.walked.leaf_values[leaf]),
                    .slot = static_cast<std::uint16_t>(s_.walked.leaf_targets[leaf])};
      return true;
    }
    const auto at = static_cast<std::size_t>(from);
    const Node<T>& node = s_.walked.nodes[at];
    const std::size_t slot = SlotOf(at);
    if (slot >= kMostSlots) return false;
    nodes_[to] = {.split = s_.walked.less[at] ? KeyOf(node.split) : Key<T>{1},
                  .slot = static_cast<std::uint16_t>(slot)};
    open.push_back({{Pass(node.yes), Pass(node.no)}, to, 2});
    return true;
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
      return static_cast<std::size_t>(s_.targets) + 2 * std::size_t{node.feature} +
             (node.missing_is_yes ? 0 : 1);
    s_.asked.push_back(at);
    return s_.slots() - 1;
  }

  State<T>& s_;
  std::vector<PackedNode<T>> nodes_;
};

template <class T>
void FillSlots(const State<T>& s, const T* x, Key<T>* slots) {
  constexpr Key<T> kAbove = ~Key<T>{0};
  std::fill_n(slots, s.targets, Key<T>{0});
  Key<T>* to = slots + s.targets;
  for (std::int64_t i = 0; i < s.features; ++i) {
    const bool missing = x[i] != x[i];
    const Key<T> key = KeyOf(x[i]);
    *to++ = missing ? 0 : key;
    *to++ = missing ? kAbove : key;
  }
  for (const std::size_t at : s.asked) {
    const Node<T>& node = s.walked.nodes[at];
    *to++ = Answer(node, s.walked.questions[at], x[node.feature]) ? 0 : kAbove;
  }
}

// The leaf of each tree of a group.
template <class T>
void WalkSideBySide(const State<T>& s, std::size_t group, const Key<T>* slots, std::uint32_t* at) {
  const PackedNode<T>* const nodes = s.nodes;
  const std::uint32_t* const roots = s.roots.data() + group * kLanes;
  // The next group's roots: each begins a cache line that nothing has asked for.
  if (group + 1 < s.steps.size()) {
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      __builtin_prefetch(nodes + roots[kLanes + lane]);
  }
  std::copy_n(roots, kLanes, at);
  const std::uint32_t steps = s.steps[group];
  for (std::uint32_t step = 0; step < steps; ++step) {
#pragma GCC unroll 16
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const PackedNode<T>& node = nodes[at[lane]];
      at[lane] += node.skip + 1U - static_cast<std::uint32_t>(slots[node.slot] < node.split);
    }
  }
}

// Of a forest of one target, all of whose trees are packed: nothing but loads and one sum.
template <class T>
T SumOf(const State<T>& s, const Key<T>* slots) {
  const std::size_t trees = s.packed.size();
  T sum = 0;
  for (std::size_t group = 0; group < s.steps.size(); ++group) {
    std::uint32_t at[kLanes];
    WalkSideBySide(s, group, slots, at);
    const std::size_t count = std::min(kLanes, trees - group * kLanes);
    for (std::size_t lane = 0; lane < count; ++lane) sum += LeafValue<T>(s.nodes[at[lane]].split);
  }
  return sum;
}

template <class T>
void AddTrees(const State<T>& s, const T* x, const Key<T>* slots, T* y) {
  const std::size_t trees = s.packed.size();
  for (std::size_t group = 0; group < s.steps.size(); ++group) {
    std::uint32_t at[kLanes];
    WalkSideBySide(s, group, slots, at);
    for (std::size_t tree = group * kLanes; tree < std::min(trees, (group + 1) * kLanes); ++tree) {
      if (s.packed[tree]) {
        const PackedNode<T>& leaf = s.nodes[at[tree % kLanes]];
        y[leaf.slot] += LeafValue<T>(leaf.split);
        continue;
      }
      const auto leaf =
          static_cast<std::size_t>(WalkTo(s.walked, s.walked.trees[tree], x) - s.walked.first_leaf);
      y[s.walked.leaf_targets[leaf]] += s.walked.leaf_values[leaf];
    }
  }
}

template <class T>
void ScoreRow(const State<T>& s, const T* x, Key<T>* slots, T* y) {
  FillSlots(s, x, slots);
  if (s.targets == 1 && s.all_packed) {
    y[0] = SumOf(s, slots);
  } else {
    std::fill_n(y, s.targets, T(0));
    AddTrees(s, x, slots, y);
  }
  if (!s.average) return;
  const auto trees = static_cast<double>(s.packed.size());
  for (std::int64_t i = 0; i < s.targets; ++i)
    y[i] = static_cast<T>(static_cast<double>(y[i]) / trees);
}

template <class T>
void Run(const KernelArgs& args) {
  const State<T>& s = args.State<State<T>>();
  Parallel(args, s.rows, kGrain, [&](std::int64_t begin, std::int64_t end, int thread) {
    auto* const slots = reinterpret_cast<Key<T>*>(args.scratch + static_cast<std::size_t>(thread) *
                                                                     s.thread_bytes());
    for (std::int64_t row = begin; row < end; ++row) {
      const T* x = args.In<T>(0) + row * s.features;
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
  ATH_RETURN_IF_ERROR(packer.Finish());
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
  return size.rows * (size.trees * (1.0 + 0.75 * size.depth) + 2 * size.features);
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
