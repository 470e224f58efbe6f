// TreeModel with missingValueStrategy weightedConfidence or aggregateNodes: a row that cannot tell
// which child is its own goes to all of them, with a share for each. The answer is a sum over the
// leaves, so that it is one product of matrices: shares [rows, leaves] times what leaves say.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestSharedTree = 64;

class SharedTree {
 public:
  SharedTree(const Model& model, const Scope& scope)
      : model_(model),
        c_(model.calculator()),
        scope_(scope),
        counts_(Text(model.element, "missingValueStrategy") == "aggregateNodes"),
        last_(Text(model.element, "noTrueChildStrategy") == "returnLastPrediction") {}

  Result<Answer> Read() {
    const Element root = model_.element.child("Node");
    if (!root) return Unsupported("a tree without <Node>");
    ATH_TRY(const Element predicate, PredicateIn(root));
    ATH_TRY(const ValueId enters, PredicateColumn(model_.document, scope_, predicate));
    ATH_RETURN_IF_ERROR(Visit(root, c_.Number(c_.IsTrue(enters)), 0));
    const auto leaves = static_cast<std::int64_t>(shares_.size());
    const std::int64_t width = model_.classification() ? model_.num_classes() : 2;
    const ValueId sums =
        c_.Op("MatMul", {c_.SideBySide(shares_), c_.Matrix(leaves, width, table_)});
    Answer answer = model_.NewAnswer();
    if (!model_.classification()) {
      const ValueId weight = c_.ColumnAt(sums, 1);
      const ValueId nowhere = c_.Op("Equal", {weight, c_.Constant(0)});
      answer.value = c_.Where(nowhere, c_.Missing(), c_.Div(c_.ColumnAt(sums, 0), weight));
      return answer;
    }
    const ValueId nowhere = c_.Op("Equal", {c_.Sum(sums), c_.Constant(0)});
    answer.probabilities = c_.Where(nowhere, c_.Missing(), c_.Div(sums, c_.Sum(sums)));
    answer.confidences = counts_ ? kNoValue : c_.Where(nowhere, c_.Missing(), sums);
    // A row that went to one leaf gets the class that the leaf itself names: it may be another than
    // the first of the likeliest.
    const ValueId label =
        c_.Op("MatMul", {c_.SideBySide(shares_), c_.Matrix(leaves, 1, std::move(labels_))});
    const ValueId went_to_one = c_.Op("Equal", {spread_, c_.Constant(0)});
    answer.value = c_.Where(went_to_one, label, c_.Best(answer.probabilities));
    answer.value = c_.Where(nowhere, c_.Missing(), answer.value);
    return answer;
  }

 private:
  // What a node says: a number and 1, or one number per class; with counts, times the records.
  Status AddLeaf(const Element& node, ValueId share) {
    shares_.push_back(share);
    ATH_TRY(const double records, NumberOr(node, "recordCount", 1));
    const bool named = !node.attribute("score").empty();
    if (!model_.classification()) {
      ATH_TRY(const double score, NumberOr(node, "score", 0));
      const double weight = !named ? 0 : counts_ ? records : 1;
      table_.insert(table_.end(), {score * weight, weight});
      return {};
    }
    std::vector<double> row(model_.classes.size(), 0);
    bool given = false;
    for (const Element& part : node.children("ScoreDistribution")) {
      ATH_TRY(const std::size_t at, model_.ClassIndex(Text(part, "value")));
      ATH_TRY(const double count, NumberOr(part, "recordCount", 0));
      ATH_TRY(row[at], NumberOr(part, "confidence", records > 0 ? count / records : count));
      if (counts_) row[at] = count;
      given = true;
    }
    std::size_t label =
        static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    if (named || !given) {
      ATH_TRY(label, model_.ClassIndex(Text(node, "score")));
    }
    if (!given) row[label] = counts_ ? records : 1;
    labels_.push_back(static_cast<double>(label));
    table_.insert(table_.end(), row.begin(), row.end());
    return {};
  }

  Status Visit(const Element& node, ValueId share, int depth) {
    if (depth > kDeepestSharedTree)
      return Error(ErrorCode::kResource, "the tree is more than {} deep", kDeepestSharedTree);
    std::vector<Element> children;
    std::vector<ValueId> truths;
    std::vector<double> records;
    double total = 0;
    for (const Element& child : node.children("Node")) {
      ATH_TRY(const Element predicate, PredicateIn(child));
      ATH_TRY(const ValueId truth, PredicateColumn(model_.document, scope_, predicate));
      ATH_TRY(const double count, NumberOr(child, "recordCount", 1));
      children.push_back(child);
      truths.push_back(truth);
      records.push_back(count);
      total += count;
    }
    if (children.empty()) return AddLeaf(node, share);
    // Whether an unknown predicate comes before a true one, and which child is the first true one.
    ValueId open = c_.Constant(1), unknown = c_.Constant(0);
    std::vector<ValueId> first;
    for (const ValueId truth : truths) {
      const ValueId is_true = c_.Number(c_.IsTrue(truth));
      unknown = c_.Or(unknown, c_.And(open, c_.Number(c_.IsMissing(truth))));
      first.push_back(c_.Mul(open, is_true));
      open = c_.Sub(open, first.back());
    }
    const ValueId spread = c_.IsTrue(unknown);
    spread_ = c_.Add(spread_, c_.Mul(share, c_.Number(spread)));
    for (std::size_t i = 0; i < children.size(); ++i) {
      const double part = counts_ ? 1 : total > 0 ? records[i] / total : 0;
      const ValueId own = c_.Where(spread, c_.Constant(part), first[i]);
      ATH_RETURN_IF_ERROR(Visit(children[i], c_.Mul(share, own), depth + 1));
    }
    if (!last_) return c_.status();
    const ValueId rest = c_.Where(spread, c_.Constant(0), open);
    ATH_RETURN_IF_ERROR(AddLeaf(node, c_.Mul(share, rest)));
    return c_.status();
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  const bool counts_, last_;
  std::vector<ValueId> shares_;
  ValueId spread_ = c_.Constant(0);  // above 0 for rows that went to several leaves
  std::vector<double> labels_;       // the class that each leaf names
  std::vector<double> table_;        // one row per leaf
};

}  // namespace

Result<Answer> ReadSharedTree(const Model& model, const Scope& scope) {
  return SharedTree(model, scope).Read();
}

}  // namespace athanor::pmml
