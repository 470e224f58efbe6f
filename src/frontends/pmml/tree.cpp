// TreeModel. A node with several children becomes a chain of tests; where a missing value leads
// elsewhere than a failed test, a test for it stands before.
#include <cmath>
#include <limits>
#include <map>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/tabular/columns.h"

namespace athanor::pmml {
namespace {

using tabular::ForestBuilder;
using tabular::Test;
using Ref = ForestBuilder::Ref;

enum class Missing : std::uint8_t { kNone, kLastPrediction, kNullPrediction, kDefaultChild };

// Probabilities of all leaves: a file that named as many would have a gigabyte.
constexpr std::size_t kMostShares = std::size_t{1} << 24;

// The rows of the table that leaves point to.
struct LeafTable {
  std::vector<double> labels;  // a class, or the number that a regression predicts
  std::vector<double> probabilities, confidences;  // one number per class
  std::vector<std::string> ids;
  std::size_t size() const { return labels.size(); }
};

// What a predicate asks, as the test of one node.
struct Question {
  enum class Kind : std::uint8_t { kAlways, kNever, kIsMissing, kIsNotMissing, kTest };
  Kind kind = Kind::kAlways;
  ForestBuilder::Node test = {};  // without branches
  bool missing_is_true = false;   // of kTest: a missing value is an answer too
};

// The columns that the trees of one ensemble look at.
class FeatureSet {
 public:
  std::int64_t IndexOf(ValueId column) {
    const auto [at, is_new] = positions_.emplace(column, columns_.size());
    if (is_new) columns_.push_back(column);
    return static_cast<std::int64_t>(at->second);
  }
  const std::vector<ValueId>& columns() const { return columns_; }

 private:
  std::vector<ValueId> columns_;
  std::map<ValueId, std::size_t> positions_;
};

// What the trees of one ensemble share.
struct Ensemble {
  const Model& model;
  bool classification = false;
  bool by_row = false;  // leaves point to rows of the table; otherwise they are the prediction
  FeatureSet features = {};
  ForestBuilder forest = {};
  LeafTable table = {};
};

class TreeReader {
 public:
  TreeReader(Ensemble& ensemble, const TreeSource& source, std::int64_t target)
      : ensemble_(ensemble),
        model_(ensemble.model),
        scope_(source.scope),
        tree_(source.element),
        target_(target),
        features_(ensemble.features),
        forest_(ensemble.forest),
        table_(ensemble.table) {}

  Status Read() {
    static const std::map<std::string_view, Missing> kStrategies = {
        {"", Missing::kNone},
        {"none", Missing::kNone},
        {"lastPrediction", Missing::kLastPrediction},
        {"nullPrediction", Missing::kNullPrediction},
        {"defaultChild", Missing::kDefaultChild},
    };
    const auto strategy = kStrategies.find(Text(tree_, "missingValueStrategy"));
    if (strategy == kStrategies.end()) {
      return Unsupported(
          "missingValueStrategy {} in an ensemble; none, lastPrediction, nullPrediction and "
          "defaultChild are implemented",
          Quote(Text(tree_, "missingValueStrategy")));
    }
    missing_ = strategy->second;
    ATH_TRY(penalty_, NumberOr(tree_, "missingValuePenalty", 1));
    last_when_none_fits_ = Text(tree_, "noTrueChildStrategy") == "returnLastPrediction";
    const Element root = tree_.child("Node");
    if (!root) return Unsupported("a tree without <Node>");
    ATH_TRY(null_, NullLeaf());
    ATH_TRY(Ref top, Build(root, 0, 0));
    // The root has a predicate as well.
    ATH_TRY(const Question question, Ask(root));
    ATH_TRY(top, Decide(question, top, null_, null_));
    forest_.AddTree(top);
    return {};
  }

 private:
  Result<Ref> AddRow(double label, std::string_view id, std::span<const double> probabilities,
                     std::span<const double> confidences) {
    if (table_.probabilities.size() + probabilities.size() > kMostShares)
      return Error(ErrorCode::kResource, "the leaves have more than {} probabilities", kMostShares);
    table_.labels.push_back(label);
    table_.ids.emplace_back(id);
    table_.probabilities.insert(table_.probabilities.end(), probabilities.begin(),
                                probabilities.end());
    table_.confidences.insert(table_.confidences.end(), confidences.begin(), confidences.end());
    return forest_.AddLeaf(target_, static_cast<double>(table_.size() - 1));
  }

  Result<Ref> NullLeaf() {
    const double none = std::nan("");
    if (!ensemble_.by_row) return forest_.AddLeaf(target_, none);
    const std::vector<double> nothing(model_.classes.size(), none);
    return AddRow(none, "", nothing, nothing);
  }

  // The prediction of the node itself, after `uses` steps on behalf of missing values.
  Result<Ref> LeafOf(const Element& node, int uses) {
    const pugi::xml_attribute score = node.attribute("score");
    if (!ensemble_.classification) {
      if (score.empty()) return null_;
      ATH_TRY(const double value, Number(node, "score"));
      return ensemble_.by_row ? AddRow(value, Text(node, "id"), {}, {})
                              : forest_.AddLeaf(target_, value);
    }
    std::vector<double> probabilities(model_.classes.size(), 0), confidences = probabilities;
    double total = 0, best = -1;
    std::optional<std::size_t> likeliest;
    bool given = false;
    for (const Element& part : node.children("ScoreDistribution")) {
      ATH_TRY(const std::size_t at, model_.ClassIndex(Text(part, "value")));
      ATH_TRY(const double count, NumberOr(part, "recordCount", 0));
      given = !part.attribute("probability").empty();
      ATH_TRY(const double share, NumberOr(part, "probability", count));
      ATH_TRY(confidences[at], NumberOr(part, "confidence", std::nan("")));
      probabilities[at] = share;
      total += share;
      if (share > best) best = share, likeliest = at;
    }
    if (score.empty() && !likeliest) return null_;
    std::size_t label = likeliest.value_or(0);
    if (!score.empty()) {
      ATH_TRY(label, model_.ClassIndex(score.value()));
    }
    if (!likeliest) {
      probabilities[label] = 1;
    } else if (!given && total > 0) {
      for (double& p : probabilities) p /= total;
    }
    for (std::size_t i = 0; i < confidences.size(); ++i) {
      if (std::isnan(confidences[i]) || !likeliest) confidences[i] = probabilities[i];
      confidences[i] *= std::pow(penalty_, uses);
    }
    return AddRow(static_cast<double>(label), Text(node, "id"), probabilities, confidences);
  }

  Result<Question> AskSimple(const Element& predicate) {
    ATH_TRY(const Field field, scope_.Get(Text(predicate, "field")));
    Question question = {.kind = Question::Kind::kTest};
    question.test.feature = features_.IndexOf(field.column);
    const std::string_view op = Text(predicate, "operator");
    if (op == "isMissing" || op == "isNotMissing") {
      question.kind =
          op == "isMissing" ? Question::Kind::kIsMissing : Question::Kind::kIsNotMissing;
      return question;
    }
    static const std::map<std::string_view, Test> kTests = {
        {"equal", Test::kEqual},         {"notEqual", Test::kNotEqual},
        {"lessThan", Test::kLess},       {"lessOrEqual", Test::kLeq},
        {"greaterThan", Test::kGreater}, {"greaterOrEqual", Test::kGeq},
    };
    const auto found = kTests.find(op);
    if (found == kTests.end()) return InvalidModel("operator {} is not known", Quote(op));
    question.test.test = found->second;
    if (field.text && !field.truth() && op != "equal" && op != "notEqual")
      return Unsupported("operator {} on text is not implemented", Quote(op));
    ATH_TRY(question.test.value, ValueIn(field, Text(predicate, "value")));
    return question;
  }

  // "x < 3 or x is missing", as one node says it.
  Result<bool> AskOrMissing(const Element& predicate, Question& question) {
    if (Text(predicate, "booleanOperator") != "or") return false;
    std::vector<Element> parts;
    for (const Element& part : predicate.children()) {
      if (IsContent(part)) parts.push_back(part);
    }
    if (parts.size() != 2 || std::string_view(parts[0].name()) != "SimplePredicate" ||
        std::string_view(parts[1].name()) != "SimplePredicate" ||
        Text(parts[1], "operator") != "isMissing" ||
        Text(parts[0], "field") != Text(parts[1], "field"))
      return false;
    ATH_TRY(question, AskSimple(parts[0]));
    if (question.kind != Question::Kind::kTest) return false;
    question.missing_is_true = true;
    return true;
  }

  Result<Question> Ask(const Element& node) {
    ATH_TRY(const Element predicate, PredicateIn(node));
    const std::string_view name = predicate.name();
    if (name == "True") return Question{};
    if (name == "False") return Question{.kind = Question::Kind::kNever};
    if (name == "SimplePredicate") return AskSimple(predicate);
    Question question = {.kind = Question::Kind::kTest};
    if (name == "SimpleSetPredicate" && Text(predicate, "booleanOperator") == "isIn") {
      ATH_TRY(const Field field, scope_.Get(Text(predicate, "field")));
      question.test.feature = features_.IndexOf(field.column);
      question.test.test = Test::kMember;
      for (const std::string& word : ArrayWords(predicate.child("Array"))) {
        ATH_TRY(const double member, ValueIn(field, word));
        question.test.members.push_back(member);
      }
      return question;
    }
    ATH_TRY(const bool merged, AskOrMissing(predicate, question));
    if (merged) return question;
    // What one comparison cannot say is a column of its own: 1, 0, or missing when unknown.
    ATH_TRY(const ValueId column, PredicateColumn(model_.document, scope_, predicate));
    ATH_RETURN_IF_ERROR(model_.calculator().status());
    question.test.feature = features_.IndexOf(column);
    question.test.test = Test::kGreater;
    question.test.value = 0.5;
    return question;
  }

  // The node that asks whether the feature is there.
  Ref IsThere(std::int64_t feature, Ref there, Ref missing) {
    return forest_.AddNode({.feature = feature,
                            .test = Test::kLeq,
                            .value = std::numeric_limits<double>::infinity(),
                            .yes = there,
                            .no = missing});
  }

  // `unknown`: where a row goes when the answer is not known.
  Result<Ref> Decide(const Question& question, Ref yes, Ref no, Ref unknown) {
    switch (question.kind) {
      case Question::Kind::kAlways:
        return yes;
      case Question::Kind::kNever:
        return no;
      case Question::Kind::kIsMissing:
        return IsThere(question.test.feature, no, yes);
      case Question::Kind::kIsNotMissing:
        return IsThere(question.test.feature, yes, no);
      case Question::Kind::kTest:
        break;
    }
    if (question.missing_is_true) unknown = yes;
    ForestBuilder::Node node = question.test;
    node.yes = yes;
    node.no = no;
    node.missing_is_yes = unknown == yes;
    const Ref made = forest_.AddNode(std::move(node));
    if (unknown == yes || unknown == no) return made;
    return IsThere(question.test.feature, made, unknown);
  }

  static bool Opposite(const Question& a, const Question& b) {
    using Kind = Question::Kind;
    if (a.kind != Kind::kTest || b.kind != Kind::kTest) return false;
    if (a.missing_is_true || b.missing_is_true) return false;
    if (a.test.feature != b.test.feature || a.test.value != b.test.value) return false;
    static const std::map<Test, Test> kOpposites = {
        {Test::kLess, Test::kGeq},       {Test::kGeq, Test::kLess},
        {Test::kLeq, Test::kGreater},    {Test::kGreater, Test::kLeq},
        {Test::kEqual, Test::kNotEqual}, {Test::kNotEqual, Test::kEqual},
    };
    const auto found = kOpposites.find(a.test.test);
    return found != kOpposites.end() && found->second == b.test.test;
  }

  // The branch of a child whose predicate is true. Where a surrogate had to answer and that costs
  // confidence, a branch of its own.
  Result<Ref> BranchOf(const Element& child, int depth, int uses) {
    ATH_TRY(const Ref branch, Build(child, depth, uses));
    if (penalty_ == 1) return branch;
    ATH_TRY(const Element predicate, PredicateIn(child));
    if (Text(predicate, "booleanOperator") != "surrogate") return branch;
    ATH_TRY(const Element first, PredicateIn(predicate));
    ATH_TRY(const ValueId column, PredicateColumn(model_.document, scope_, first));
    ATH_RETURN_IF_ERROR(model_.calculator().status());
    ATH_TRY(const Ref by_surrogate, Build(child, depth, uses + 1));
    return IsThere(features_.IndexOf(column), branch, by_surrogate);
  }

  // Where a row goes that cannot tell which child is its own.
  Result<Ref> UnknownOf(const Element& node, Ref own, const std::vector<Element>& children,
                        const std::vector<Ref>& branches, int depth, int uses) {
    if (missing_ == Missing::kLastPrediction) return own;
    if (missing_ != Missing::kDefaultChild || node.attribute("defaultChild").empty()) return null_;
    const std::string_view wanted = Text(node, "defaultChild");
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (Text(children[i], "id") != wanted) continue;
      if (penalty_ == 1) return branches[i];
      return Build(children[i], depth + 1, uses + 1);
    }
    return InvalidModel("<Node> {} has no child {}", Quote(Text(node, "id")), Quote(wanted));
  }

  Result<Ref> Build(const Element& node, int depth, int uses) {
    if (depth > kDeepest)
      return Error(ErrorCode::kResource, "the tree is more than {} deep", kDeepest);
    const auto key = std::pair(node.hash_value(), uses);
    if (penalty_ != 1) {
      const auto known = built_.find(key);
      if (known != built_.end()) return known->second;
    }
    ATH_TRY(const Ref made, BuildNew(node, depth, uses));
    if (penalty_ != 1) built_.emplace(key, made);
    return made;
  }

  Result<Ref> BuildNew(const Element& node, int depth, int uses) {
    std::vector<Element> children;
    for (const Element& child : node.children("Node")) children.push_back(child);
    ATH_TRY(const Ref own, LeafOf(node, uses));
    if (children.empty()) return own;
    std::vector<Ref> branches;
    std::vector<Question> questions;
    for (const Element& child : children) {
      ATH_TRY(const Ref branch, BranchOf(child, depth + 1, uses));
      branches.push_back(branch);
      ATH_TRY(Question question, Ask(child));
      questions.push_back(std::move(question));
    }
    ATH_TRY(const Ref unknown, UnknownOf(node, own, children, branches, depth, uses));
    const Ref none = last_when_none_fits_ ? own : null_;
    Ref rest = none;
    for (std::size_t i = children.size(); i-- > 0;) {
      const bool last_pair = i + 2 == children.size();
      const Ref no = last_pair && Opposite(questions[i], questions[i + 1]) ? branches[i + 1] : rest;
      const Ref miss = missing_ == Missing::kNone ? rest : unknown;
      if (missing_ == Missing::kNone && no != rest) {
        // A missing value fits neither: it goes where no child is true.
        ATH_TRY(rest, Decide(questions[i], branches[i], no, none));
        continue;
      }
      ATH_TRY(rest, Decide(questions[i], branches[i], no, miss));
    }
    return rest;
  }

  Ensemble& ensemble_;
  const Model& model_;
  const Scope& scope_;
  Element tree_;
  std::int64_t target_;
  FeatureSet& features_;
  ForestBuilder& forest_;
  LeafTable& table_;
  Missing missing_ = Missing::kNone;
  double penalty_ = 1;  // of the confidence, for each step on behalf of a missing value
  bool last_when_none_fits_ = false;
  Ref null_;
  std::map<std::pair<std::size_t, int>, Ref> built_;
};

bool AsksForEntity(const Element& model) {
  const auto fields = model.child("Output").children("OutputField");
  return std::any_of(fields.begin(), fields.end(),
                     [](const Element& field) { return Text(field, "feature") == "entityId"; });
}

// What the table says about the leaves [rows, trees] that were reached.
Answer LookUpLeaves(const Ensemble& ensemble, ValueId leaves) {
  Calculator& c = ensemble.model.calculator();
  const LeafTable& table = ensemble.table;
  const auto count = static_cast<std::int64_t>(table.size());
  const ValueId rows = c.Op("Cast", {leaves}, {{"to", DType::kI64}});
  const auto gather = [&](Tensor from) {
    return c.Op("Gather", {c.graph().AddConstant(std::move(from)), rows},
                {{"axis", std::int64_t{0}}});
  };
  Answer answer = ensemble.model.NewAnswer();
  answer.classification = ensemble.classification;
  answer.value = gather(Tensor::FromVector({count}, table.labels));
  answer.entity = FieldOfStrings(c, gather(Tensor::FromVector({count}, table.ids)), {});
  if (!ensemble.classification) return answer;
  const Dims shape = {count, ensemble.model.num_classes()};
  answer.probabilities = gather(Tensor::FromVector(shape, table.probabilities));
  if (table.confidences != table.probabilities)
    answer.confidences = gather(Tensor::FromVector(shape, table.confidences));
  return answer;
}

}  // namespace

Result<Answer> ReadTrees(const Model& model, const std::vector<TreeSource>& trees) {
  Ensemble ensemble = {model};
  const Element& first = trees[0].element;
  ensemble.classification = Text(first, "functionName") == "classification";
  ensemble.by_row = ensemble.classification || (trees.size() == 1 && AsksForEntity(first));
  std::vector<Status> problems;
  for (std::size_t i = 0; i < trees.size() && problems.size() < 16; ++i) {
    const Element& tree = trees[i].element;
    if ((Text(tree, "functionName") == "classification") != ensemble.classification)
      return InvalidModel("trees of classification and of regression stand in one ensemble");
    Status status = TreeReader(ensemble, trees[i], static_cast<std::int64_t>(i)).Read();
    if (!status.ok()) problems.push_back(std::move(status).In(NameOf(tree)));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  Calculator& c = model.calculator();
  // Trees that ask nothing still need a matrix with as many rows as there are.
  std::vector<ValueId> columns = ensemble.features.columns();
  if (columns.empty()) columns.push_back(c.Constant(0));
  const ValueId x = c.SideBySide(std::move(columns));
  ATH_RETURN_IF_ERROR(c.status());
  const auto count = static_cast<std::int64_t>(trees.size());
  ATH_TRY(const ValueId leaves, ensemble.forest.Build(model.graph(), x, count));
  if (ensemble.by_row) {
    Answer answer = LookUpLeaves(ensemble, leaves);
    ATH_RETURN_IF_ERROR(c.status());
    return answer;
  }
  Answer answer = model.NewAnswer();
  answer.classification = false;
  answer.value = leaves;
  return answer;
}

Result<Answer> ReadTree(const Model& model, const Scope& scope, int) {
  const std::string_view strategy = Text(model.element, "missingValueStrategy");
  if (strategy == "weightedConfidence" || strategy == "aggregateNodes")
    return ReadSharedTree(model, scope);
  ATH_TRY(Answer answer, ReadTrees(model, {{model.element, scope}}));
  Calculator& c = model.calculator();
  for (ValueId* shares : {&answer.probabilities, &answer.confidences}) {
    if (*shares != kNoValue) *shares = c.Op("Squeeze", {*shares, c.Index(1)});
  }
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

}  // namespace athanor::pmml
