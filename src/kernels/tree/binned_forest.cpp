#include "kernels/tree/binned_forest.h"

#include <bit>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>

#include "core/status.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostBin = 255;
constexpr std::size_t kRunTrees = 8;  // whose leaves are kept before they are added

// ---- columns

// The columns under construction, and which of them a node asks.
template <class T>
class Columns {
 public:
  explicit Columns(const WalkedForest<T>& walked) : walked_(walked), tests_(walked.less.size()) {
    for (const auto& [feature, nodes] : NodesByFeature()) PlaceFeature(feature, nodes);
    PlaceQuestions();
  }

  // The test of an inner node that has two ways.
  const BinTest& TestOf(std::size_t at) const { return tests_[at]; }
  std::size_t count() const { return count_; }

  template <class Forest>
  void MoveTo(Forest& forest) && {
    forest.features = std::move(features_);
    forest.asked = std::move(asked_);
    forest.columns = count_;
  }

 private:
  using Key = std::tuple<std::uint32_t, bool, int, std::uint64_t, std::vector<T>>;
  // The nodes that compare a feature with thresholds, and those that ask whether it is a number.
  struct Nodes {
    std::vector<std::pair<T, std::uint32_t>> compare;  // the threshold and the node
    std::vector<std::uint32_t> ask;
  };

  static BinTest MakeTest(std::size_t column, std::size_t threshold) {
    const auto byte = static_cast<std::uint32_t>(threshold ^ kBinSign);
    return {static_cast<std::uint32_t>(column * kTileRows), byte * 0x01010101U};
  }

  Key QuestionKey(std::size_t at) const {
    const Node<T>& node = walked_.nodes[at];
    const Question<T>& question = walked_.questions[at];
    // Its bits: NaN has no place in an order.
    const auto split = std::bit_cast<std::uint64_t>(static_cast<double>(node.split));
    return {node.feature, node.missing_is_yes, static_cast<int>(question.test), split,
            question.members};
  }

  // Whether x is a number, and any number will do.
  bool AsksForNumber(std::size_t at) const {
    constexpr T kInfinity = std::numeric_limits<T>::infinity();
    const Node<T>& node = walked_.nodes[at];
    const ops::Forest::Mode test = walked_.questions[at].test;
    if (walked_.less[at] || node.missing_is_yes) return false;
    return (test == ops::Forest::Mode::kLeq && node.split == kInfinity) ||
           (test == ops::Forest::Mode::kGte && node.split == -kInfinity);
  }
  bool IsThreshold(std::size_t at) const { return walked_.less[at] || AsksForNumber(at); }

  std::map<std::uint32_t, Nodes> NodesByFeature() const {
    std::map<std::uint32_t, Nodes> nodes;
    for (std::size_t at = 0; at < walked_.less.size(); ++at) {
      if (!IsThreshold(at)) continue;
      Nodes& of_feature = nodes[walked_.nodes[at].feature];
      const auto number = static_cast<std::uint32_t>(at);
      if (walked_.less[at]) {
        of_feature.compare.emplace_back(walked_.nodes[at].split, number);
      } else {
        of_feature.ask.push_back(number);
      }
    }
    for (auto& [feature, of_feature] : nodes) {
      std::sort(of_feature.compare.begin(), of_feature.compare.end(),
                [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    return nodes;
  }

  // Thresholds ascend. Where nodes ask for a number NaN is the last, a threshold that no number
  // reaches. A column has up to kMostBin of them, for nodes whose missing numbers go one way.
  void PlaceFeature(std::uint32_t feature, const Nodes& nodes) {
    std::vector<T> thresholds;
    std::vector<std::pair<std::uint32_t, std::size_t>> ranks;  // of each node
    for (const auto& [threshold, at] : nodes.compare) {
      if (thresholds.empty() || thresholds.back() < threshold) thresholds.push_back(threshold);
      ranks.emplace_back(at, thresholds.size() - 1);
    }
    if (!nodes.ask.empty()) thresholds.push_back(std::numeric_limits<T>::quiet_NaN());
    for (const std::uint32_t at : nodes.ask) ranks.emplace_back(at, thresholds.size() - 1);
    features_.push_back({.feature = feature, .first_column = count_, .columns = {}});
    SearchFor(thresholds, features_.back());
    const std::size_t parts = (thresholds.size() + kMostBin - 1) / kMostBin;
    std::vector<std::size_t> used(2 * parts, 0), places(2 * parts, 0);
    const auto part_of = [&](std::uint32_t at, std::size_t rank) {
      return (walked_.nodes[at].missing_is_yes ? parts : 0) + rank / kMostBin;
    };
    for (const auto& [at, rank] : ranks) used[part_of(at, rank)] = 1;
    for (std::size_t i = 0; i < used.size(); ++i) {
      if (used[i] == 0) continue;
      features_.back().columns.push_back(
          {static_cast<std::int32_t>(i % parts * kMostBin), i < parts});
      places[i] = count_++;
    }
    for (const auto& [at, rank] : ranks)
      tests_[at] = MakeTest(places[part_of(at, rank)], 1 + rank % kMostBin);
  }

  // Levels of blocks from the thresholds up, then turned round.
  static void SearchFor(const std::vector<T>& thresholds, BinnedFeature<T>& feature) {
    constexpr std::size_t kBlock = BinSearch<T>::kBlock;
    std::vector<std::vector<T>> levels = {thresholds};
    while (levels.back().size() > kBlock) {
      const std::vector<T>& below = levels.back();
      std::vector<T> level;
      for (std::size_t i = kBlock - 1; i < below.size() + kBlock - 1; i += kBlock)
        level.push_back(below[std::min(i, below.size() - 1)]);
      levels.push_back(std::move(level));
    }
    ATH_CHECK(levels.size() <= BinSearch<T>::kMostDepth, "the kernel takes 2^22 nodes at most");
    std::vector<std::size_t> begins;
    for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
      begins.push_back(feature.blocks.size());
      feature.blocks.insert(feature.blocks.end(), level->begin(), level->end());
      // A value above all of a level goes on behind the last block of the next one.
      const std::size_t blocks = level->size() / kBlock + 1 + (level->size() % kBlock != 0);
      feature.blocks.resize(begins.back() + blocks * kBlock, std::numeric_limits<T>::quiet_NaN());
    }
    feature.search.depth = static_cast<int>(begins.size());
    for (std::size_t i = 0; i < begins.size(); ++i)
      feature.search.levels[i] = feature.blocks.data() + begins[i];
    HeapFor(thresholds, feature);
  }

  // The number of f32 that is not below x, and next to it.
  static float NotBelow(T x) {
    const auto near = static_cast<float>(x);
    return near < x ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
  }

  static void HeapFor(const std::vector<T>& thresholds, BinnedFeature<T>& feature) {
    std::vector<float> keys;
    for (const T threshold : thresholds) {
      const float key = NotBelow(threshold);
      if (!keys.empty() && key <= keys.back()) return;
      keys.push_back(key);
    }
    const int levels =
        std::max<int>(BinSearch<T>::kLeastHeap, static_cast<int>(std::bit_width(keys.size())));
    if (levels > BinSearch<T>::kMostHeap) return;
    using Register = typename BinnedFeature<T>::Register;
    constexpr std::size_t kNumbers = sizeof(Register::numbers) / sizeof(float);
    const std::size_t size = std::size_t{1} << levels;
    keys.resize(size - 1, std::numeric_limits<float>::quiet_NaN());
    feature.heap.resize(size / kNumbers);
    float* const heap = feature.heap[0].numbers;
    // Node k of a level lies in the middle of what is below it.
    for (std::size_t k = 1; k < size; ++k) {
      const std::size_t below = size / std::bit_floor(k);
      heap[k] = keys[(k - std::bit_floor(k)) * below + below / 2 - 1];
    }
    feature.search.heap = heap;
    feature.search.heap_levels = levels;
  }

  void PlaceQuestions() {
    std::map<Key, std::size_t> columns;
    for (std::size_t at = 0; at < walked_.less.size(); ++at) {
      const Node<T>& node = walked_.nodes[at];
      if (IsThreshold(at) || node.yes == node.no) continue;
      const auto [place, is_new] = columns.emplace(QuestionKey(at), count_);
      tests_[at] = MakeTest(place->second, 1);
      if (!is_new) continue;
      asked_.push_back({node, walked_.questions[at]});
      ++count_;
    }
  }

  const WalkedForest<T>& walked_;
  std::vector<BinTest> tests_;  // of each node
  std::vector<BinnedFeature<T>> features_;
  std::vector<AskedColumn<T>> asked_;
  std::size_t count_ = 0;
};

// ---- programs

using At = std::int32_t;  // a node or a leaf of WalkedForest

// Cuts one tree into steps.
template <class T>
class Cutter {
 public:
  struct Step {
    int levels = 0;
    std::vector<At> tests;  // the heap; kNone: both exits are the same
    std::vector<At> exits;  // leaves, or steps
  };
  static constexpr At kNone = -1;

  explicit Cutter(const WalkedForest<T>& walked) : walked_(walked) {}

  // The levels of a tree whose levels make one test each, `same` says which are; none when it is
  // another, or has more leaves than a byte tells apart. The exits are numbered as the bits of the
  // answers say, yes being 1 and the root the lowest.
  template <class Same>
  std::optional<Step> CutOblivious(At root, const Same& same) const {
    Step step = {.tests = {}, .exits = {Pass(root)}};
    while (step.exits[0] < walked_.first_leaf) {
      if (2 * step.exits.size() > BinnedForest<T>::kMostLeaves) return std::nullopt;
      step.tests.push_back(step.exits[0]);
      std::vector<At> next;
      for (const bool yes : {false, true}) {
        for (const At at : step.exits) {
          if (at >= walked_.first_leaf || !same(at, step.tests.back())) return std::nullopt;
          next.push_back(Pass(yes ? Node(at).yes : Node(at).no));
        }
      }
      step.exits = std::move(next);
      ++step.levels;
    }
    const bool leaves = std::all_of(step.exits.begin(), step.exits.end(),
                                    [&](At at) { return at >= walked_.first_leaf; });
    return leaves && step.levels > 1 ? std::optional(std::move(step)) : std::nullopt;
  }

  // False when the steps had more leaves than a byte tells apart.
  bool Cut(At root, int most_levels) {
    most_levels_ = most_levels;
    leaves_.clear();
    joins_.clear();
    exits_ = 0;
    Add(root);
    return exits_ <= BinnedForest<T>::kMostLeaves;
  }
  // Steps whose exits are leaves.
  const std::vector<Step>& leaves() const { return leaves_; }
  // Their exits are steps: 0 and up are those of joins(), -1 and down those of leaves().
  const std::vector<Step>& joins() const { return joins_; }

 private:
  // Tests that have one way only are passed.
  At Pass(At at) const {
    while (at < walked_.first_leaf && Node(at).yes == Node(at).no) at = Node(at).yes;
    return at;
  }
  const kernels::Node<T>& Node(At at) const { return walked_.nodes[static_cast<std::size_t>(at)]; }

  // Tests below `at` on the longest way, or `most` when there are more.
  int Height(At at, int most) const {
    at = Pass(at);
    if (at >= walked_.first_leaf || most == 0) return 0;
    return 1 + std::max(Height(Node(at).yes, most - 1), Height(Node(at).no, most - 1));
  }
  // Tests on the shortest way, at most `most`.
  int Shortest(At at, int most) const {
    at = Pass(at);
    if (at >= walked_.first_leaf || most == 0) return 0;
    return 1 + std::min(Shortest(Node(at).yes, most - 1), Shortest(Node(at).no, most - 1));
  }

  // What lies `levels` tests below, in the order of a heap.
  void Spread(At at, int levels, std::size_t heap, Step& step, std::vector<At>& exits) const {
    const std::size_t first = (std::size_t{1} << step.levels) - 1;
    at = Pass(at);
    if (levels == 0) {
      exits[heap - first] = at;
      return;
    }
    const bool leaf = at >= walked_.first_leaf;
    step.tests[heap] = leaf ? kNone : at;
    Spread(leaf ? at : Node(at).yes, levels - 1, 2 * heap + 1, step, exits);
    Spread(leaf ? at : Node(at).no, levels - 1, 2 * heap + 2, step, exits);
  }

  // The step of the tree below `at`. A branch where others meet is repeated; the count of exits
  // ends it.
  At Add(At at) {
    if (exits_ > BinnedForest<T>::kMostLeaves) return 0;
    const int height = Height(at, kMostLevels + 1);
    const bool whole = height <= most_levels_;
    Step step;
    step.levels = whole ? height : std::max(1, Shortest(at, kMostLevels));
    const std::size_t count = std::size_t{1} << step.levels;
    step.tests.resize(count - 1);
    std::vector<At> exits(count);
    Spread(at, step.levels, 0, step, exits);
    if (whole) {
      exits_ += count;
      step.exits = std::move(exits);
      leaves_.push_back(std::move(step));
      return -static_cast<At>(leaves_.size());
    }
    for (const At exit : exits) step.exits.push_back(Add(exit));
    joins_.push_back(std::move(step));
    return static_cast<At>(joins_.size()) - 1;
  }

  const WalkedForest<T>& walked_;
  int most_levels_ = kMostLevels;
  std::size_t exits_ = 0;
  std::vector<Step> leaves_, joins_;
};

// Where a program begins in the lists of the forest, while these still grow.
struct Begins {
  std::size_t test = 0, level = 0, joined = 0, leaf = 0;
};

template <class T>
class Assembler {
 public:
  Assembler(BinnedForest<T>& forest, const Columns<T>& columns)
      : forest_(forest), columns_(columns) {}

  // Appends the program of what was cut.
  void Add(const Cutter<T>& cut) {
    TreeProgram program;
    Begin();
    std::vector<std::size_t> place(cut.leaves().size());
    std::size_t steps = 0;
    for (int levels = kMostLevels; levels >= 0; --levels) {
      for (std::size_t i = 0; i < place.size(); ++i) {
        const auto& step = cut.leaves()[i];
        if (step.levels != levels) continue;
        place[i] = steps++;
        ++program.leaves[levels];
        AddTests(step.tests);
        for (const At exit : step.exits) AddLeaf(exit);
      }
    }
    for (const auto& step : cut.joins()) {
      forest_.levels.push_back(static_cast<std::uint8_t>(step.levels));
      AddTests(step.tests);
      for (const At exit : step.exits) {
        const std::size_t from = exit < 0 ? place[static_cast<std::size_t>(-1 - exit)]
                                          : place.size() + static_cast<std::size_t>(exit);
        forest_.joined.push_back(static_cast<std::uint16_t>(from));
      }
    }
    program.joins = static_cast<std::uint16_t>(cut.joins().size());
    forest_.most_steps = std::max(forest_.most_steps, steps + cut.joins().size());
    forest_.programs.push_back(program);
  }

  // Appends an oblivious tree.
  void Add(const typename Cutter<T>::Step& step) {
    Begin();
    AddTests(step.tests);
    for (const At exit : step.exits) AddLeaf(exit);
    forest_.programs.push_back({.oblivious = static_cast<std::uint16_t>(step.levels)});
  }

  // The lists are whole: programs may point into them.
  void Point() {
    for (std::size_t i = 0; i < begins_.size(); ++i) {
      const Begins& begin = begins_[i];
      forest_.programs[i].tests = forest_.tests.data() + begin.test;
      forest_.programs[i].levels = forest_.levels.data() + begin.level;
      forest_.programs[i].joined = forest_.joined.data() + begin.joined;
      forest_.values.push_back(forest_.leaf_values.data() + begin.leaf);
      forest_.targets.push_back(forest_.leaf_targets.data() + begin.leaf);
    }
  }

 private:
  // Of a program whose parts follow.
  void Begin() {
    begins_.push_back({forest_.tests.size(), forest_.levels.size(), forest_.joined.size(),
                       forest_.leaf_values.size()});
  }
  void AddTests(const std::vector<At>& tests) {
    for (const At at : tests) {
      const bool none = at == Cutter<T>::kNone;
      forest_.tests.push_back(none ? BinTest() : columns_.TestOf(static_cast<std::size_t>(at)));
    }
  }
  void AddLeaf(At at) {
    const auto leaf = static_cast<std::size_t>(at - forest_.walked.first_leaf);
    forest_.leaf_values.push_back(forest_.walked.leaf_values[leaf]);
    forest_.leaf_targets.push_back(forest_.walked.leaf_targets[leaf]);
  }

  BinnedForest<T>& forest_;
  const Columns<T>& columns_;
  std::vector<Begins> begins_;
};

// A tree joins the last run of its target and form where no run behind that adds to the same
// target.
template <class T>
void AddToRun(BinnedForest<T>& forest, std::int32_t target, TreeRun::Form form) {
  const auto program = static_cast<std::int32_t>(forest.programs.size()) - 1;
  TreeRun* last = forest.runs.empty() ? nullptr : &forest.runs.back();
  if (last != nullptr && last->walked < 0 && target != TreeRun::kMixed && last->target == target &&
      last->form == form && last->end - last->begin < static_cast<std::int32_t>(kRunTrees)) {
    last->end = program + 1;
    return;
  }
  forest.runs.push_back({.begin = program, .end = program + 1, .target = target, .form = form});
}

// How the values of the last program are added.
template <class T>
TreeRun::Form FormOf(const BinnedForest<T>& forest, std::size_t leaves, std::int32_t target,
                     bool planes) {
  if (!planes || leaves > kPlaneLeaves || target == TreeRun::kMixed) return TreeRun::Form::kValues;
  const bool oblivious = forest.programs.back().oblivious > 0;
  return oblivious ? TreeRun::Form::kOblivious : TreeRun::Form::kPlanes;
}

template <class T>
LeafPlanes<T> PlanesOf(const T* values, std::size_t leaves) {
  LeafPlanes<T> planes;
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    std::uint16_t words[sizeof(T) / 2];
    std::memcpy(words, values + leaf, sizeof(T));
    for (std::size_t i = 0; i < std::size(words); ++i) planes.words[i][leaf] = words[i];
  }
  return planes;
}

// Of the programs in runs that use them; those of others stay empty.
template <class T>
void AddPlanes(BinnedForest<T>& forest) {
  const auto uses_them = [](const TreeRun& run) { return run.form != TreeRun::Form::kValues; };
  if (std::none_of(forest.runs.begin(), forest.runs.end(), uses_them)) return;
  forest.planes.resize(forest.programs.size());
  for (const TreeRun& run : forest.runs) {
    if (!uses_them(run)) continue;
    for (auto i = static_cast<std::size_t>(run.begin); i < static_cast<std::size_t>(run.end); ++i) {
      const T* const end = i + 1 < forest.values.size()
                               ? forest.values[i + 1]
                               : forest.leaf_values.data() + forest.leaf_values.size();
      forest.planes[i] =
          PlanesOf(forest.values[i], static_cast<std::size_t>(end - forest.values[i]));
    }
  }
}

// The trees in the order in which they are added up: target by target, where every tree has one.
// The sum of a target is that of its trees in their order either way.
template <class T>
std::vector<std::size_t> OrderOfTrees(const WalkedForest<T>& walked,
                                      const std::vector<std::int32_t>& targets) {
  std::vector<std::size_t> order(walked.trees.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const bool mixed = std::any_of(targets.begin(), targets.end(),
                                 [](std::int32_t target) { return target == TreeRun::kMixed; });
  if (!mixed) {
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return targets[a] < targets[b]; });
  }
  return order;
}

// The one target of each tree, or kMixed.
template <class T>
std::vector<std::int32_t> TargetsOf(const ops::Forest& forest, const WalkedForest<T>& walked,
                                    const std::vector<ops::Forest::Walk>& walks) {
  std::vector<std::int32_t> targets;
  for (const ops::Forest::Walk& walk : walks) {
    std::int32_t target = -2;  // none yet
    for (const std::int64_t at : walk.nodes) {
      const ops::Forest::Node& node = forest.nodes()[static_cast<std::size_t>(at)];
      for (const ops::Forest::Child child : {node.yes, node.no}) {
        if (child >= 0) continue;
        const std::int32_t found = walked.leaf_targets[static_cast<std::size_t>(-1 - child)];
        target = target == -2 || target == found ? found : TreeRun::kMixed;
      }
    }
    targets.push_back(target);
  }
  return targets;
}

}  // namespace

template <class T>
ForestColumns<T> ColumnsOf(const WalkedForest<T>& walked) {
  ForestColumns<T> made;
  Columns<T> columns(walked);
  for (std::size_t at = 0; at < walked.less.size(); ++at) {
    const bool asks = walked.nodes[at].yes != walked.nodes[at].no;
    made.tests.push_back(asks ? columns.TestOf(at) : BinTest());
  }
  std::move(columns).MoveTo(made);
  return made;
}

template <class T>
std::size_t CountColumns(const WalkedForest<T>& walked) {
  return Columns<T>(walked).count();
}

template ForestColumns<float> ColumnsOf(const WalkedForest<float>&);
template ForestColumns<double> ColumnsOf(const WalkedForest<double>&);
template std::size_t CountColumns(const WalkedForest<float>&);
template std::size_t CountColumns(const WalkedForest<double>&);

template <class T>
std::shared_ptr<const BinnedForest<T>> BinForest(const ops::Forest& forest, bool planes) {
  auto made = std::make_shared<BinnedForest<T>>();
  made->walked = WalkedOf<T>(forest);
  Columns<T> columns(made->walked);
  Cutter<T> cutter(made->walked);
  Assembler<T> assembler(*made, columns);
  const std::vector<ops::Forest::Walk> walks = forest.Walks();
  const std::vector<std::int32_t> targets = TargetsOf(forest, made->walked, walks);
  const auto same_test = [&](At a, At b) {
    const BinTest one = columns.TestOf(static_cast<std::size_t>(a));
    const BinTest other = columns.TestOf(static_cast<std::size_t>(b));
    return one.column == other.column && one.threshold == other.threshold;
  };
  for (const std::size_t tree : OrderOfTrees(made->walked, targets)) {
    const At root = made->walked.trees[tree].root;
    const std::size_t leaves = made->leaf_values.size();
    const auto join = [&] {
      const std::size_t added = made->leaf_values.size() - leaves;
      AddToRun(*made, targets[tree], FormOf(*made, added, targets[tree], planes));
    };
    if (const auto oblivious = cutter.CutOblivious(root, same_test)) {
      assembler.Add(*oblivious);
      join();
      continue;
    }
    const bool small = walks[tree].nodes.size() < BinnedForest<T>::kMostLeaves &&
                       (cutter.Cut(root, 3) || cutter.Cut(root, 1) || cutter.Cut(root, 0));
    if (!small) {
      made->runs.push_back({.target = targets[tree], .walked = static_cast<std::int32_t>(tree)});
      continue;
    }
    assembler.Add(cutter);
    join();
  }
  assembler.Point();
  AddPlanes(*made);
  std::move(columns).MoveTo(*made);
  return made;
}

template std::shared_ptr<const BinnedForest<float>> BinForest(const ops::Forest&, bool);
template std::shared_ptr<const BinnedForest<double>> BinForest(const ops::Forest&, bool);

}  // namespace athanor::kernels
