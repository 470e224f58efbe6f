#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "core/text.h"
#include "frontends/lightgbm/categories.h"
#include "frontends/lightgbm/lightgbm.h"
#include "frontends/tabular/columns.h"
#include "frontends/tabular/forest_builder.h"
#include "frontends/tabular/outputs.h"
#include "ops/catalog.h"

namespace athanor::lightgbm {
namespace {

using tabular::ForestBuilder;
using tabular::Link;

constexpr std::int64_t kMostFeatures = 1 << 20;
constexpr std::int64_t kMostGroups = 1 << 16;

// ---- text

// The lines KEY=VALUE up to an empty line.
using Section = std::map<std::string_view, std::string_view>;

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Section TakeSection(std::string_view& text) {
  Section section;
  while (!text.empty()) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) break;
    const std::size_t equals = line.find('=');
    section.emplace(line.substr(0, equals),
                    equals == std::string_view::npos ? "" : line.substr(equals + 1));
  }
  return section;
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

template <class T>
Result<T> Number(std::string_view word) {
  T value = {};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    return InvalidModel("\"{:.40}\" is no number", word);
  return value;
}

// A list of numbers; empty where the section has none of this name.
template <class T>
Result<std::vector<T>> Numbers(const Section& section, std::string_view name) {
  std::vector<T> numbers;
  const auto found = section.find(name);
  if (found == section.end()) return numbers;
  for (const std::string_view word : Words(found->second)) {
    Result<T> number = Number<T>(word);
    if (!number.ok()) return std::move(number).status().In(name);
    numbers.push_back(*number);
  }
  return numbers;
}

template <class T>
Result<T> One(const Section& section, std::string_view name) {
  const auto found = section.find(name);
  if (found == section.end()) return InvalidModel("there is no {}=", name);
  Result<T> number = Number<T>(found->second);
  if (!number.ok()) return std::move(number).status().In(name);
  return number;
}

// ---- objectives

struct Objective {
  std::string_view name;
  Link link;
};
constexpr std::array kObjectives = {
    Objective{"binary", Link::kBinaryLogistic},
    Objective{"cross_entropy", Link::kLogistic},
    Objective{"cross_entropy_lambda", Link::kLog1pExp},
    Objective{"custom", Link::kIdentity},
    Objective{"fair", Link::kIdentity},
    Objective{"gamma", Link::kExp},
    Objective{"huber", Link::kIdentity},
    Objective{"lambdarank", Link::kIdentity},
    Objective{"mape", Link::kIdentity},
    Objective{"multiclass", Link::kSoftmax},
    Objective{"multiclassova", Link::kOneVersusAll},
    Objective{"poisson", Link::kExp},
    Objective{"quantile", Link::kIdentity},
    Objective{"rank_xendcg", Link::kIdentity},
    Objective{"regression", Link::kIdentity},
    Objective{"regression_l1", Link::kIdentity},
    Objective{"tweedie", Link::kExp},
};

struct Head {
  Link link = Link::kIdentity;
  double slope = 1;
  std::int64_t groups = 1;  // trees per iteration
  std::vector<std::string> names;
  std::vector<std::string_view> infos;
  bool average = false;
  std::optional<std::size_t> trees;  // as many as the file has, where it says so
};

Status ReadObjective(std::string_view text, Head& head) {
  const std::vector<std::string_view> words = Words(text);
  if (words.empty()) return {};  // trained with a function of the user's: raw scores
  std::vector<std::string> known;
  const Objective* found = nullptr;
  for (const Objective& objective : kObjectives) {
    if (objective.name == words[0]) found = &objective;
    known.emplace_back(objective.name);
  }
  if (found == nullptr) {
    return Unsupported("objective {} is not implemented; {} are", Quote(words[0]),
                       Join(known, ", "));
  }
  head.link = found->link;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with("sigmoid:")) {
      ATH_TRY(head.slope, Number<double>(words[i].substr(8)));
    } else if (words[i] == "sqrt") {
      head.link = Link::kSquare;
    }
  }
  return {};
}

Result<Head> ReadHead(const Section& section) {
  Head head;
  const auto objective = section.find("objective");
  if (objective != section.end()) ATH_RETURN_IF_ERROR(ReadObjective(objective->second, head));
  ATH_TRY(head.groups, One<std::int64_t>(section, "num_tree_per_iteration"));
  if (head.groups < 1 || head.groups > kMostGroups)
    return InvalidModel("num_tree_per_iteration is {}; 1 to {} is accepted", head.groups,
                        kMostGroups);
  ATH_TRY(const auto last, One<std::int64_t>(section, "max_feature_idx"));
  if (last < 0 || last >= kMostFeatures)
    return InvalidModel("max_feature_idx is {}; 0 to {} is accepted", last, kMostFeatures - 1);
  const auto names = section.find("feature_names"), infos = section.find("feature_infos");
  if (names == section.end()) return InvalidModel("there is no feature_names=");
  for (const std::string_view name : Words(names->second)) head.names.emplace_back(name);
  if (head.names.size() != static_cast<std::size_t>(last) + 1)
    return InvalidModel("{} feature names are given for {} features", head.names.size(), last + 1);
  ATH_RETURN_IF_ERROR(tabular::CheckNames(head.names));
  if (infos != section.end()) head.infos = Words(infos->second);
  if (head.infos.size() != head.names.size())
    return InvalidModel("{} feature_infos are given for {} features", head.infos.size(),
                        head.names.size());
  head.average = section.contains("average_output");
  const auto sizes = section.find("tree_sizes");
  if (sizes != section.end()) head.trees = Words(sizes->second).size();
  return head;
}

// ---- columns

// What LightGBM's interface takes for zero, and sets to zero before a tree sees it: sizes up to
// this.
constexpr auto kZero = static_cast<double>(1e-35F);

// What of a feature counts as missing.
enum class Missing : std::uint8_t { kNothing, kZero, kNan };
Missing MissingOf(std::int64_t decision) { return static_cast<Missing>((decision >> 2) & 3); }

// Of each feature, where some split compares it.
using MissingOfFeatures = std::vector<std::optional<Missing>>;

// Zeros, as the library knows them, become NaN.
Result<ValueId> ZerosAreMissing(Graph& graph, ValueId column) {
  const auto number = [&](double value) {
    return graph.AddConstant(tabular::NumberScalar(DType::kF64, value));
  };
  ATH_TRY(const ValueId size, graph.Add("Abs", {column}));
  ATH_TRY(const ValueId zero, graph.Add("LessOrEqual", {size, number(kZero)}));
  return graph.Add("Where", {zero, number(std::nan("")), column});
}

// Codes are cut to integers; a missing one stays missing, which is in no set.
Result<ValueId> WholeCodes(Graph& graph, ValueId column) {
  ATH_TRY(const ValueId code, graph.Add("Cast", {column}, {{"to", DType::kI64}}));
  ATH_TRY(const ValueId whole, graph.Add("Cast", {code}, {{"to", DType::kF64}}));
  ATH_TRY(const ValueId missing, graph.Add("IsNaN", {column}));
  return graph.Add("Where", {missing, column, whole});
}

// Numbers of a file without pandas categories are the codes themselves, cut to integers.
Result<ValueId> AddColumns(Graph& graph, const Head& head,
                           const std::vector<Categories>& categories,
                           const MissingOfFeatures& missing) {
  std::vector<std::size_t> categorical;
  for (std::size_t i = 0; i < head.infos.size(); ++i) {
    const bool range = head.infos[i].starts_with('[') || head.infos[i] == "none";
    if (!range) categorical.push_back(i);
  }
  if (!categories.empty() && categories.size() != categorical.size()) {
    return Unsupported(
        "{} lists of pandas categories for {} categorical features: which is whose is not known",
        categories.size(), categorical.size());
  }
  std::vector<ValueId> columns;
  std::size_t next = 0;
  for (std::size_t i = 0; i < head.names.size(); ++i) {
    const bool is_category = next < categorical.size() && categorical[next] == i;
    const Categories* known = is_category && !categories.empty() ? &categories[next] : nullptr;
    next += is_category;
    const bool text = known != nullptr && !known->strings.empty();
    ValueId column =
        graph.AddInput(head.names[i], tabular::ColumnType(text ? DType::kString : DType::kF64));
    if (text) {
      ATH_TRY(column,
              tabular::CodesOfStrings(graph, column, DType::kF64, known->strings, std::nan("")));
    } else if (known != nullptr) {
      ATH_TRY(column, tabular::CodesOfNumbers(graph, column, known->numbers, std::nan("")));
    } else if (is_category) {
      ATH_TRY(column, WholeCodes(graph, column));
    } else if (missing[i] == Missing::kZero) {
      ATH_TRY(column, ZerosAreMissing(graph, column));
    }
    columns.push_back(column);
  }
  return tabular::SideBySide(graph, columns);
}

// ---- trees

struct Tree {
  std::int64_t leaves = 0;
  std::vector<std::int64_t> feature, decision, left, right, category_begins, category_bits;
  std::vector<double> threshold, value;
  // Of linear leaves: constants, and the terms of all leaves one behind the other.
  std::vector<double> constant, coefficient;
  std::vector<std::int64_t> term_counts, term_features;
  std::int64_t words_left = 0;  // of category_bits: sets that overlapped could ask for much memory
};

Result<Tree> ReadTree(const Section& section) {
  Tree tree;
  ATH_TRY(tree.leaves, One<std::int64_t>(section, "num_leaves"));
  ATH_TRY(tree.value, Numbers<double>(section, "leaf_value"));
  if (tree.leaves < 1 || tree.value.size() != static_cast<std::size_t>(tree.leaves))
    return InvalidModel("num_leaves is {}, but {} values are given", tree.leaves,
                        tree.value.size());
  ATH_TRY(tree.feature, Numbers<std::int64_t>(section, "split_feature"));
  ATH_TRY(tree.decision, Numbers<std::int64_t>(section, "decision_type"));
  ATH_TRY(tree.left, Numbers<std::int64_t>(section, "left_child"));
  ATH_TRY(tree.right, Numbers<std::int64_t>(section, "right_child"));
  ATH_TRY(tree.threshold, Numbers<double>(section, "threshold"));
  ATH_TRY(tree.category_begins, Numbers<std::int64_t>(section, "cat_boundaries"));
  ATH_TRY(tree.category_bits, Numbers<std::int64_t>(section, "cat_threshold"));
  tree.words_left = static_cast<std::int64_t>(tree.category_bits.size());
  const std::size_t nodes = tree.value.size() - 1;
  const auto fits = [&](const auto& list) { return list.size() == nodes; };
  // A tree of one leaf may leave the lists of its nodes out or not.
  if (nodes > 0 && (!fits(tree.feature) || !fits(tree.decision) || !fits(tree.left) ||
                    !fits(tree.right) || !fits(tree.threshold)))
    return InvalidModel("a tree of {} leaves needs {} splits", tree.leaves, nodes);
  return tree;
}

Status ReadLinearLeaves(const Section& section, Tree& tree) {
  const auto linear = section.find("is_linear");
  if (linear == section.end() || linear->second == "0") return {};
  ATH_TRY(tree.constant, Numbers<double>(section, "leaf_const"));
  ATH_TRY(tree.term_counts, Numbers<std::int64_t>(section, "num_features"));
  ATH_TRY(tree.term_features, Numbers<std::int64_t>(section, "leaf_features"));
  ATH_TRY(tree.coefficient, Numbers<double>(section, "leaf_coeff"));
  if (tree.constant.size() != tree.value.size() || tree.term_counts.size() != tree.value.size() ||
      tree.coefficient.size() != tree.term_features.size())
    return InvalidModel("the lists of the linear leaves differ in length");
  return {};
}

// The categories of a split: the bits that are set in its words of 32.
Result<std::vector<double>> CategoriesOf(Tree& tree, double number) {
  const auto sets = static_cast<double>(tree.category_begins.size()) - 1;
  if (!(number >= 0 && number < sets))
    return InvalidModel("category set {} does not exist", number);
  const auto at = static_cast<std::size_t>(number);
  const std::int64_t begin = tree.category_begins[at], end = tree.category_begins[at + 1];
  if (begin < 0 || begin > end || end > static_cast<std::int64_t>(tree.category_bits.size()))
    return InvalidModel("the words of category set {} are out of range", number);
  tree.words_left -= end - begin;
  if (tree.words_left < 0) return InvalidModel("category sets share their words");
  std::vector<double> categories;
  for (std::int64_t word = begin; word < end; ++word) {
    for (int bit = 0; bit < 32; ++bit) {
      if (((tree.category_bits[static_cast<std::size_t>(word)] >> bit) & 1) != 0)
        categories.push_back(static_cast<double>((word - begin) * 32 + bit));
    }
  }
  return categories;
}

// A threshold that tells such numbers apart the way zero would go.
double ThresholdBesideZero(double threshold) {
  if (!(threshold >= -kZero && threshold < kZero)) return threshold;
  return threshold < 0 ? std::nextafter(-kZero, -1.0) : kZero;
}

// decision_type: bit 0 category, bit 1 missing goes left, bits 2 and 3 what counts as missing. The
// column of a feature whose zeros are missing holds NaN in their place.
Status FillNode(Tree& tree, std::size_t i, ForestBuilder::Node& node) {
  const std::int64_t decision = tree.decision[i];
  node.feature = tree.feature[i];
  if ((decision & 1) != 0) {
    node.test = tabular::Test::kMember;
    ATH_TRY(node.members, CategoriesOf(tree, tree.threshold[i]));
    return {};  // a missing category is in no set
  }
  node.test = tabular::Test::kLeq;
  node.value = ThresholdBesideZero(tree.threshold[i]);
  // Where nothing is missing NaN counts as 0.
  node.missing_is_yes =
      MissingOf(decision) == Missing::kNothing ? 0 <= node.value : (decision & 2) != 0;
  return {};
}

Status NoteMissing(std::int64_t decision, std::int64_t feature, MissingOfFeatures& features) {
  if ((decision & 1) != 0) return {};
  const Missing missing = MissingOf(decision);
  if (missing > Missing::kNan) return InvalidModel("decision_type is {}", decision);
  std::optional<Missing>& known = features[static_cast<std::size_t>(feature)];
  if (known.value_or(missing) != missing)
    return Unsupported("feature {} has two meanings of what is missing", feature);
  known = missing;
  return {};
}

Result<std::vector<ForestBuilder::Ref>> AddLeaves(ForestBuilder& forest, const Tree& tree,
                                                  std::int64_t group, std::int64_t features) {
  std::vector<ForestBuilder::Ref> leaves;
  std::size_t next = 0;
  for (std::size_t i = 0; i < tree.value.size(); ++i) {
    if (tree.constant.empty()) {
      leaves.push_back(forest.AddLeaf(group, tree.value[i]));
      continue;
    }
    const std::int64_t count = tree.term_counts[i];
    if (count < 0 || static_cast<std::size_t>(count) > tree.term_features.size() - next)
      return InvalidModel("leaf {} has {} features, more than are listed", i, count);
    std::vector<ForestBuilder::Term> terms;
    for (const std::size_t end = next + static_cast<std::size_t>(count); next < end; ++next) {
      const std::int64_t feature = tree.term_features[next];
      if (feature < 0 || feature >= features)
        return InvalidModel("leaf {} looks at feature {} of {}", i, feature, features);
      terms.push_back({feature, tree.coefficient[next]});
    }
    leaves.push_back(
        forest.AddLinearLeaf(group, tree.value[i], tree.constant[i], std::move(terms)));
  }
  return leaves;
}

Status AddTree(ForestBuilder& forest, Tree& tree, std::int64_t group, MissingOfFeatures& missing) {
  const std::size_t nodes = tree.value.size() - 1;
  const auto features = static_cast<std::int64_t>(missing.size());
  ATH_TRY(const std::vector<ForestBuilder::Ref> leaves, AddLeaves(forest, tree, group, features));
  if (nodes == 0) {
    forest.AddTree(leaves[0]);
    return {};
  }
  const ForestBuilder::Ref first = forest.Reserve(nodes);
  // A negative child is the complement of a leaf.
  const auto child = [&](std::int64_t at) -> Result<ForestBuilder::Ref> {
    if (at >= static_cast<std::int64_t>(nodes) || at < -tree.leaves)
      return InvalidModel("child {} does not exist", at);
    if (at < 0) return leaves[static_cast<std::size_t>(-1 - at)];
    return ForestBuilder::Ref{first.index + at, false};
  };
  for (std::size_t i = 0; i < nodes; ++i) {
    if (tree.feature[i] < 0 || tree.feature[i] >= features)
      return InvalidModel("split {} looks at feature {} of {}", i, tree.feature[i], features);
    ATH_RETURN_IF_ERROR(NoteMissing(tree.decision[i], tree.feature[i], missing));
    ForestBuilder::Node& node = forest.node({first.index + static_cast<std::int64_t>(i), false});
    ATH_RETURN_IF_ERROR(FillNode(tree, i, node));
    ATH_TRY(node.yes, child(tree.left[i]));
    ATH_TRY(node.no, child(tree.right[i]));
  }
  forest.AddTree(first);
  return {};
}

struct Body {
  ForestBuilder forest;
  MissingOfFeatures missing;
  bool linear = false;
  std::vector<Categories> categories;
};

// What is wrong with trees; the same of many trees is said once.
class TreeProblems {
 public:
  void Add(std::int64_t tree, Status status) {
    ++trees_;
    for (Problem& known : problems_) {
      const Status& same = known.status;
      if (same.message() != status.message() || same.where() != status.where()) continue;
      ++known.more;
      return;
    }
    problems_.push_back({tree, 0, std::move(status)});
  }
  std::int64_t trees() const { return trees_; }
  bool full() const { return problems_.size() == kMost; }

  Status All() && {
    std::vector<Status> list;
    for (Problem& problem : problems_) {
      const std::string place =
          problem.more == 0 ? fmt::format("tree {}", problem.tree)
                            : fmt::format("tree {} and {} more", problem.tree, problem.more);
      list.push_back(std::move(problem.status).In(place));
    }
    return Status::All(std::move(list));
  }

 private:
  static constexpr std::size_t kMost = 16;
  struct Problem {
    std::int64_t tree = 0, more = 0;
    Status status;
  };
  std::vector<Problem> problems_;
  std::int64_t trees_ = 0;
};

// Whether the file ends before its trees do: something follows them in every file of the library.
Status CheckWhole(const Head& head, std::size_t trees, bool ended) {
  if (!head.trees || (*head.trees == trees && ended)) return {};
  return Error(ErrorCode::kCorruptFile,
               "the file was cut off: {} trees are announced, and it ends {} tree {}", *head.trees,
               ended ? "behind" : "in", trees == 0 ? 0 : trees - 1)
      .Fix("copy or save the model again");
}

Result<Body> ReadBody(std::string_view text, const Head& head) {
  Body body;
  bool ended = false;  // something stands behind the last tree
  body.missing.resize(head.names.size());
  TreeProblems problems;
  while (!text.empty() && !problems.full()) {
    if (text.starts_with("pandas_categorical:")) {
      std::string_view line = TakeLine(text);
      ATH_TRY(body.categories, ReadCategories(line.substr(line.find(':') + 1)));
      ended = true;
      continue;
    }
    if (!text.starts_with("Tree=")) {
      ended |= !TakeLine(text).empty();
      continue;
    }
    ended = false;
    const auto number = static_cast<std::int64_t>(body.forest.num_trees()) + problems.trees();
    const Section section = TakeSection(text);
    const auto add = [&]() -> Status {
      ATH_TRY(Tree tree, ReadTree(section));
      ATH_RETURN_IF_ERROR(ReadLinearLeaves(section, tree));
      body.linear |= !tree.constant.empty();
      return AddTree(body.forest, tree, number % head.groups, body.missing);
    };
    Status status = add();
    if (!status.ok()) problems.Add(number, std::move(status));
  }
  if (problems.trees() > 0) return std::move(problems).All();
  ATH_RETURN_IF_ERROR(CheckWhole(head, body.forest.num_trees(), ended));
  if (body.forest.num_trees() == 0) return InvalidModel("there are no trees");
  const bool zeros =
      std::find(body.missing.begin(), body.missing.end(), Missing::kZero) != body.missing.end();
  // The library does not train such models.
  if (body.linear && zeros) return Unsupported("linear leaves where zeros are missing values");
  return body;
}

bool HasClasses(Link link) {
  return link == Link::kBinaryLogistic || link == Link::kSoftmax || link == Link::kOneVersusAll;
}

// As labels: numbers that are whole become integers.
Result<Tensor> LabelsOf(const Tensor& classes, std::int64_t count) {
  if (classes.count() != count)
    return InvalidModel("{} names are given for {} classes", classes.count(), count);
  const Dims dims = {count};
  if (classes.dtype() != DType::kF64) return classes.Reshaped(dims);
  const std::span<const double> numbers = classes.Data<double>();
  constexpr double kMostWhole = 9007199254740992;  // 2^53
  std::vector<std::int64_t> whole;
  std::vector<std::string> texts;
  for (const double number : numbers) {
    if (number == std::floor(number) && std::abs(number) <= kMostWhole)
      whole.push_back(static_cast<std::int64_t>(number));
    texts.push_back(fmt::format("{}", number));
  }
  if (whole.size() == numbers.size()) return Tensor::FromVector(dims, whole);
  return Tensor::FromVector(dims, texts);
}

Result<Graph> Make(std::span<const std::uint8_t> bytes, const std::optional<Tensor>& classes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Section top = TakeSection(text);
  ATH_TRY(const Head head, ReadHead(top));
  ATH_TRY(const Body body, ReadBody(text, head));
  Graph graph(ops::Standard(), "lightgbm");
  ATH_TRY(const ValueId x, AddColumns(graph, head, body.categories, body.missing));
  ATH_TRY(ValueId score, body.forest.Build(graph, x, head.groups));
  if (head.average) {
    const double iterations =
        std::ceil(static_cast<double>(body.forest.num_trees()) / static_cast<double>(head.groups));
    ATH_TRY(score,
            graph.Add("Div",
                      {score, graph.AddConstant(tabular::NumberScalar(DType::kF64, iterations))}));
  }
  tabular::OutputForm form = {.link = head.link, .slope = head.slope};
  if (classes && HasClasses(head.link)) {
    ATH_TRY(form.labels, LabelsOf(*classes, std::max<std::int64_t>(2, head.groups)));
  }
  ATH_RETURN_IF_ERROR(tabular::AddOutputs(graph, score, form));
  return graph;
}

}  // namespace

bool IsLightgbm(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 16));
  return text.starts_with("tree\nversion=") || text.starts_with("tree\r\nversion=");
}

Result<Graph> Import(std::span<const std::uint8_t> bytes) { return Make(bytes, std::nullopt); }

Result<Graph> ImportWithClasses(std::span<const std::uint8_t> bytes, Tensor classes) {
  return Make(bytes, classes);
}

}  // namespace athanor::lightgbm
