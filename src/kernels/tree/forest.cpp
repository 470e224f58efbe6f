#include "kernels/tree/forest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/ml/tree_ensemble.h"

namespace athanor::kernels {
namespace {

using Test = ops::Forest::Mode;

constexpr std::int64_t kRowsPerBlock = 64;  // their scores and features stay in the first cache
constexpr int kLanes = 8;                   // rows that walk a tree side by side

// Leaves are nodes as well and lead to themselves, so that rows may walk on when they have arrived.
template <class T>
struct Node {
  T split = 0;
  std::uint32_t feature = 0;
  std::int32_t yes = 0, no = 0;
  bool missing_is_yes = false;
};

// What a comparison with < cannot say.
template <class T>
struct Question {
  Test test = Test::kLt;
  std::uint64_t small = 0;  // members 0 to 63, when all are
  bool all_small = false;
  std::vector<T> members = {};  // sorted
};

struct Tree {
  std::int32_t root = 0;
  std::int32_t steps = 0;  // to the deepest leaf
  bool plain = true;       // every node asks "<"
};

template <class T>
struct State {
  std::vector<Node<T>> nodes;
  std::vector<Question<T>> questions;  // of inner nodes, where a tree is not plain
  std::vector<Tree> trees;
  std::vector<T> leaf_values;
  std::vector<std::int32_t> leaf_targets;
  std::int32_t first_leaf = 0;
  std::int64_t rows = 0, features = 0, targets = 0;
  bool average = false;
};

// x <= s is x < the next number, and the other two are these with their branches exchanged. False
// when the node asks something else.
template <class T>
bool AsLess(const ops::Forest::Node& from, Node<T>& node) {
  const bool strict = from.mode == Test::kLt || from.mode == Test::kGte;
  const bool exchanged = from.mode == Test::kGte || from.mode == Test::kGt;
  if (!strict && from.mode != Test::kLeq && !exchanged) return false;
  const T split = static_cast<T>(from.split);
  if (!std::isfinite(split) || static_cast<double>(split) != from.split) return false;
  node.split = strict ? split : std::nextafter(split, std::numeric_limits<T>::infinity());
  if (exchanged) {
    std::swap(node.yes, node.no);
    node.missing_is_yes = !node.missing_is_yes;
  }
  return true;
}

template <class T>
Question<T> AskOf(const ops::Forest::Node& node) {
  Question<T> question = {.test = node.mode, .all_small = true};
  for (const double member : node.members) {
    question.members.push_back(static_cast<T>(member));
    const bool small = member >= 0 && member < 64 && member == std::floor(member);
    question.all_small &= small;
    if (small) question.small |= std::uint64_t{1} << static_cast<int>(member);
  }
  return question;
}

template <class T>
bool Answer(const Node<T>& node, const Question<T>& question, T x) {
  if (std::isnan(x)) return node.missing_is_yes;
  switch (question.test) {
    case Test::kLeq:
      return x <= node.split;
    case Test::kLt:
      return x < node.split;
    case Test::kGte:
      return x >= node.split;
    case Test::kGt:
      return x > node.split;
    case Test::kEq:
      return x == node.split;
    case Test::kNeq:
      return x != node.split;
    case Test::kMember:
      break;
  }
  if (!question.all_small)
    return std::binary_search(question.members.begin(), question.members.end(), x);
  if (!(x >= 0 && x < 64)) return false;
  const int member = static_cast<int>(x);
  return static_cast<T>(member) == x && ((question.small >> member) & 1) != 0;
}

template <class T>
void Fill(const ops::Forest& forest, State<T>& s) {
  s.first_leaf = static_cast<std::int32_t>(forest.nodes().size());
  const auto child = [&](std::int64_t at) {
    return static_cast<std::int32_t>(at >= 0 ? at : s.first_leaf + (-1 - at));
  };
  std::vector<bool> less;
  for (const ops::Forest::Node& from : forest.nodes()) {
    Node<T> node = {.split = static_cast<T>(from.split),
                    .feature = static_cast<std::uint32_t>(from.feature),
                    .yes = child(from.yes),
                    .no = child(from.no),
                    .missing_is_yes = from.missing_is_yes};
    less.push_back(AsLess(from, node));
    s.nodes.push_back(node);
    Question<T> question = less.back() ? Question<T>() : AskOf<T>(from);
    s.questions.push_back(std::move(question));
  }
  for (const ops::Forest::Weight& weight : forest.weights()) {
    const auto self = static_cast<std::int32_t>(s.nodes.size());
    s.nodes.push_back({.yes = self, .no = self});
    s.leaf_values.push_back(static_cast<T>(weight.value));
    s.leaf_targets.push_back(static_cast<std::int32_t>(weight.target));
  }
  const std::vector<ops::Forest::Walk> walks = forest.Walks();
  for (std::size_t i = 0; i < forest.num_trees(); ++i) {
    const std::vector<std::int64_t>& reached = walks[i].nodes;
    const bool plain = std::all_of(reached.begin(), reached.end(), [&](std::int64_t at) {
      return less[static_cast<std::size_t>(at)];
    });
    s.trees.push_back({child(forest.roots()[i]), static_cast<std::int32_t>(walks[i].depth), plain});
  }
}

// The leaf of each of kLanes rows, without a branch that depends on the data.
template <class T>
void WalkPlain(const State<T>& s, const Tree& tree, const T* x, std::int32_t* at) {
  const Node<T>* nodes = s.nodes.data();
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
    if (lowest >= s.first_leaf) return;
  }
}

template <class T>
std::int32_t Walk(const State<T>& s, const Tree& tree, const T* x) {
  std::int32_t at = tree.root;
  while (at < s.first_leaf) {
    const Node<T>& node = s.nodes[static_cast<std::size_t>(at)];
    const bool yes = Answer(node, s.questions[static_cast<std::size_t>(at)], x[node.feature]);
    at = yes ? node.yes : node.no;
  }
  return at;
}

// Adds one tree after the other to the scores, in their order: the sum is the reference's.
template <class T>
void ScoreBlock(const State<T>& s, const T* x, T* y, std::int64_t rows) {
  std::fill_n(y, rows * s.targets, T(0));
  for (const Tree& tree : s.trees) {
    std::int64_t row = 0;
    const auto add = [&](std::int64_t r, std::int32_t at) {
      const auto leaf = static_cast<std::size_t>(at - s.first_leaf);
      y[r * s.targets + s.leaf_targets[leaf]] += s.leaf_values[leaf];
    };
    if (tree.plain) {
      for (; row + kLanes <= rows; row += kLanes) {
        std::int32_t at[kLanes];
        WalkPlain(s, tree, x + row * s.features, at);
        for (int lane = 0; lane < kLanes; ++lane) add(row + lane, at[lane]);
      }
    }
    for (; row < rows; ++row) add(row, Walk(s, tree, x + row * s.features));
  }
  if (!s.average) return;
  const auto trees = static_cast<double>(s.trees.size());
  for (std::int64_t i = 0; i < rows * s.targets; ++i)
    y[i] = static_cast<T>(static_cast<double>(y[i]) / trees);
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32 && q.in[0].dtype != DType::kF64)
    return Fit::No("f32 and f64 only");
  if (q.in[0].rank() != 2) return Fit::No("rows of features only");
  const std::int64_t aggregate = q.Int("aggregate_function");
  if (aggregate > 1) return Fit::No("sums and averages only");
  if (q.Int("post_transform") != 0) return Fit::No("no transform of the scores");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return 5.0 * static_cast<double>(q.in[0].dims[0]);  // the only kernel of its operator
}

template <class T>
Result<Prepared> PrepareOf(const KernelQuery& q) {
  ATH_TRY(const ops::Forest forest, ops::ForestOf(*q.attributes));
  ATH_CHECK(forest.HasOneWeightPerLeaf(), "TreeEnsemble gives one to every leaf");
  constexpr std::size_t kMost = std::size_t{1} << 30;
  if (forest.nodes().size() + forest.num_leaves() > kMost)
    return Unsupported("more than {} nodes and leaves", kMost);
  auto state = std::make_shared<State<T>>();
  Fill(forest, *state);
  state->rows = q.in[0].dims[0];
  state->features = q.in[0].dims[1];
  state->targets = q.out[0].dims[1];
  state->average = q.Int("aggregate_function") == 0;
  return Prepared{.state = std::move(state)};
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  return q.in[0].dtype == DType::kF32 ? PrepareOf<float>(q) : PrepareOf<double>(q);
}

template <class T>
void RunOf(const KernelArgs& args) {
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

std::vector<KernelDef> ForestKernels() {
  const auto make = [](std::string name, Fit (*fits)(const KernelQuery&),
                       void (*run)(const KernelArgs&)) {
    return KernelDef{.name = std::move(name),
                     .op = "TreeEnsemble",
                     .fits = fits,
                     .cost_ns = Cost,
                     .prepare = Prepare,
                     .run = run};
  };
  return {make(
              "TreeEnsemble.f32",
              [](const KernelQuery& q) {
                return q.in[0].dtype == DType::kF32 ? Fits(q) : Fit::No("f32 only");
              },
              RunOf<float>),
          make(
              "TreeEnsemble.f64",
              [](const KernelQuery& q) {
                return q.in[0].dtype == DType::kF64 ? Fits(q) : Fit::No("f64 only");
              },
              RunOf<double>)};
}

}  // namespace athanor::kernels
