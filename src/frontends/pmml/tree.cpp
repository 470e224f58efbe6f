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
constexpr std::size_t kMostShares = std::size_t{1} << 25;

// The rows of the table that leaves of classification trees point to.
struct LeafTable {
  std::vector<double> labels, probabilities;  // per leaf: one code; one number per class
};

// What a predicate asks, as the test of one node.
struct Question {
  enum class Kind : std::uint8_t { kAlways, kNever, kIsMissing, kIsNotMissing, kTest };
  Kind kind = Kind::kAlways;
  ForestBuilder::Node test = {};  // without branches
  bool missing_is_true = false;   // of kTest: a missing value is an answer too
};

class TreeReader {
 public:
  TreeReader(Context& context, const Scope& scope, const Element& model, std::int64_t target,
             bool classification, FeatureSet& features, ForestBuilder& forest, LeafTable& table)
      : context_(context),
        scope_(scope),
        model_(model),
        target_(target),
        classification_(classification),
        features_(features),
        forest_(forest),
        table_(table) {}

  Status Read() {
    const std::string_view missing = Text(model_, "missingValueStrategy");
    if (missing.empty() || missing == "none") {
      missing_ = Missing::kNone;
    } else if (missing == "lastPrediction") {
      missing_ = Missing::kLastPrediction;
    } else if (missing == "nullPrediction") {
      missing_ = Missing::kNullPrediction;
    } else if (missing == "defaultChild") {
      missing_ = Missing::kDefaultChild;
    } else {
      return Unsupported(
          "missingValueStrategy {}; none, lastPrediction, nullPrediction and defaultChild are "
          "implemented",
          Quote(missing));
    }
    last_when_none_fits_ = Text(model_, "noTrueChildStrategy") == "returnLastPrediction";
    const Element root = model_.child("Node");
    if (!root) return Unsupported("a tree without <Node>");
    ATH_TRY(null_, NullLeaf());
    ATH_TRY(Ref top, Build(root, 0));
    // The root has a predicate as well.
    ATH_TRY(const Question question, Ask(root));
    ATH_TRY(top, Decide(question, top, null_, null_));
    forest_.AddTree(top);
    return {};
  }

 private:
  Result<Ref> AddRow(double label, std::span<const double> probabilities) {
    if (table_.probabilities.size() + probabilities.size() > kMostShares)
      return Error(ErrorCode::kResource, "the leaves have more than {} probabilities", kMostShares);
    table_.labels.push_back(label);
    table_.probabilities.insert(table_.probabilities.end(), probabilities.begin(),
                                probabilities.end());
    return forest_.AddLeaf(target_, static_cast<double>(table_.labels.size() - 1));
  }

  Result<Ref> NullLeaf() {
    const double none = std::nan("");
    if (!classification_) return forest_.AddLeaf(target_, none);
    return AddRow(none, std::vector<double>(context_.classes.size(), none));
  }

  // The prediction of the node itself.
  Result<Ref> LeafOf(const Element& node) {
    const pugi::xml_attribute score = node.attribute("score");
    if (!classification_) {
      if (score.empty()) return null_;
      ATH_TRY(const double value, Number(node, "score"));
      return forest_.AddLeaf(target_, value);
    }
    std::vector<double> probabilities(context_.classes.size(), 0);
    double total = 0, best = -1;
    std::optional<double> likeliest;
    bool given = false;
    for (const Element& part : node.children("ScoreDistribution")) {
      ATH_TRY(const double code, context_.ClassCode(Text(part, "value")));
      ATH_TRY(const double count, NumberOr(part, "recordCount", 0));
      given = !part.attribute("probability").empty();
      ATH_TRY(const double share, NumberOr(part, "probability", count));
      probabilities[static_cast<std::size_t>(code)] = share;
      total += share;
      if (share > best) best = share, likeliest = code;
    }
    if (score.empty() && !likeliest) return null_;
    double label = likeliest.value_or(0);
    if (!score.empty()) {
      ATH_TRY(label, context_.ClassCode(score.value()));
    }
    if (!likeliest) {
      probabilities[static_cast<std::size_t>(label)] = 1;
    } else if (!given && total > 0) {
      for (double& p : probabilities) p /= total;
    }
    return AddRow(label, probabilities);
  }

  Result<Question> AskSimple(const Element& predicate) {
    ATH_TRY(const Field* field, scope_.Get(Text(predicate, "field")));
    Question question = {.kind = Question::Kind::kTest};
    question.test.feature = features_.IndexOf(field->column);
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
    if (!field->text) {
      ATH_TRY(question.test.value, Number(predicate, "value"));
      return question;
    }
    if (op != "equal" && op != "notEqual")
      return Unsupported("operator {} on text is not implemented", Quote(op));
    question.test.value = field->CodeOf(predicate.attribute("value").value());
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
      ATH_TRY(const Field* field, scope_.Get(Text(predicate, "field")));
      question.test.feature = features_.IndexOf(field->column);
      question.test.test = Test::kMember;
      for (const std::string& word : ArrayWords(predicate.child("Array"))) {
        double member = field->CodeOf(word);
        if (!field->text) {
          ATH_TRY(member, ParseNumber(word));
        }
        question.test.members.push_back(member);
      }
      return question;
    }
    ATH_TRY(const bool merged, AskOrMissing(predicate, question));
    if (merged) return question;
    // What one comparison cannot say is a column of its own: 1, 0, or missing when unknown.
    ATH_TRY(const ValueId column, PredicateColumn(context_.calculator, scope_, predicate));
    ATH_RETURN_IF_ERROR(context_.calculator.status());
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

  Result<Ref> Build(const Element& node, int depth) {
    if (depth > kDeepest)
      return Error(ErrorCode::kResource, "the tree is more than {} deep", kDeepest);
    std::vector<Element> children;
    for (const Element& child : node.children("Node")) children.push_back(child);
    ATH_TRY(const Ref own, LeafOf(node));
    if (children.empty()) return own;
    std::vector<Ref> branches;
    std::vector<Question> questions;
    for (const Element& child : children) {
      const auto read = [&]() -> Status {
        ATH_TRY(const Ref branch, Build(child, depth + 1));
        branches.push_back(branch);
        ATH_TRY(Question question, Ask(child));
        questions.push_back(std::move(question));
        return {};
      };
      ATH_RETURN_IF_ERROR(read());
    }
    Ref unknown = null_;
    if (missing_ == Missing::kLastPrediction) unknown = own;
    if (missing_ == Missing::kDefaultChild && !node.attribute("defaultChild").empty()) {
      const std::string_view wanted = Text(node, "defaultChild");
      for (std::size_t i = 0; i < children.size(); ++i) {
        if (Text(children[i], "id") == wanted) unknown = branches[i];
      }
      if (unknown == null_)
        return InvalidModel("<Node> {} has no child {}", Quote(Text(node, "id")), Quote(wanted));
    }
    Ref rest = last_when_none_fits_ ? own : null_;
    for (std::size_t i = children.size(); i-- > 0;) {
      const bool last_pair = i + 2 == children.size();
      const Ref no = last_pair && Opposite(questions[i], questions[i + 1]) ? branches[i + 1] : rest;
      const Ref miss = missing_ == Missing::kNone ? rest : unknown;
      if (missing_ == Missing::kNone && no != rest) {
        // A missing value fits neither: it goes where no child is true.
        ATH_TRY(rest, Decide(questions[i], branches[i], no, last_when_none_fits_ ? own : null_));
        continue;
      }
      ATH_TRY(rest, Decide(questions[i], branches[i], no, miss));
    }
    return rest;
  }

  Context& context_;
  const Scope& scope_;
  Element model_;
  std::int64_t target_;
  bool classification_;
  FeatureSet& features_;
  ForestBuilder& forest_;
  LeafTable& table_;
  Missing missing_ = Missing::kNone;
  bool last_when_none_fits_ = false;
  Ref null_;
};

}  // namespace

std::int64_t FeatureSet::IndexOf(ValueId column) {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  if (found == columns_.end()) {
    columns_.push_back(column);
    return static_cast<std::int64_t>(columns_.size()) - 1;
  }
  return found - columns_.begin();
}

Result<Answer> ReadTrees(Context& context, const std::vector<TreeSource>& trees) {
  const bool classification = Text(trees[0].model, "functionName") == "classification";
  FeatureSet features;
  ForestBuilder forest;
  LeafTable table;
  std::vector<Status> problems;
  for (std::size_t i = 0; i < trees.size() && problems.size() < 16; ++i) {
    const Element& model = trees[i].model;
    if ((Text(model, "functionName") == "classification") != classification)
      return InvalidModel("trees of classification and of regression stand in one ensemble");
    TreeReader reader(context, trees[i].scope, model, static_cast<std::int64_t>(i), classification,
                      features, forest, table);
    Status status = reader.Read();
    if (!status.ok()) problems.push_back(std::move(status).In(NameOf(model)));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  // A forest that asks nothing still needs a matrix with as many rows as there are.
  if (features.columns().empty()) return Unsupported("trees that look at no field");
  Graph& graph = context.graph;
  const auto count = static_cast<std::int64_t>(trees.size());
  // Constants among the columns have no rows of their own.
  std::vector<ValueId> columns;
  for (const ValueId column : features.columns()) columns.push_back(column);
  ATH_TRY(const ValueId x, tabular::SideBySide(graph, columns));
  ATH_TRY(const ValueId leaves, forest.Build(graph, x, count));
  if (!classification) return Answer{.classification = false, .value = leaves};
  Calculator& c = context.calculator;
  const ValueId rows = c.Op("Cast", {leaves}, {{"to", DType::kI64}});
  const auto leaf_count = static_cast<std::int64_t>(table.labels.size());
  const ValueId labels = graph.AddConstant(Tensor::FromVector({leaf_count}, table.labels));
  const ValueId shares = graph.AddConstant(
      Tensor::FromVector({leaf_count, context.num_classes()}, table.probabilities));
  Answer answer = {.classification = true};
  answer.value = c.Op("Gather", {labels, rows}, {{"axis", std::int64_t{0}}});
  answer.probabilities = c.Op("Gather", {shares, rows}, {{"axis", std::int64_t{0}}});
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

Result<Answer> ReadTree(Context& context, const Scope& scope, const Element& model) {
  ATH_TRY(Answer answer, ReadTrees(context, {{model, scope}}));
  if (answer.classification) {
    const ValueId axes = context.graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {1}));
    answer.probabilities = context.calculator.Op("Squeeze", {answer.probabilities, axes});
  }
  ATH_RETURN_IF_ERROR(context.calculator.status());
  return answer;
}

}  // namespace athanor::pmml
