// MiningModel: segments combined by sum, average, vote ..., chosen by a condition, or one after the
// other.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

struct Segment {
  Element element, model, predicate;
  double weight = 1;
  bool always() const { return std::string_view(predicate.name()) == "True"; }
};

Result<std::vector<Segment>> ReadSegments(const Element& segmentation) {
  std::vector<Segment> segments;
  for (const Element& element : segmentation.children("Segment")) {
    Segment segment = {.element = element, .model = {}, .predicate = {}};
    ATH_TRY(segment.predicate, PredicateIn(element));
    ATH_TRY(segment.weight, NumberOr(element, "weight", 1));
    for (const Element& child : element.children()) {
      const std::string_view name = child.name();
      if (IsModel(child) || name.ends_with("Model")) segment.model = child;
    }
    if (!segment.model)
      return InvalidModel("<Segment> {} has no model", Quote(Text(element, "id")));
    segments.push_back(segment);
  }
  if (segments.empty()) return InvalidModel("<Segmentation> has no segments");
  return segments;
}

// Whether the segment counts for a row: bool [rows, 1] or one for all. Unknown is no.
Result<ValueId> IsActive(const Model& model, const Scope& scope, const Segment& segment) {
  ATH_TRY(const ValueId truth, PredicateColumn(model.document, scope, segment.predicate));
  return model.calculator().IsTrue(truth);
}

// The answers of all segments: values [rows, segments], probabilities [rows, segments, classes].
struct Stack {
  bool classification = false;
  ValueId values = kNoValue, probabilities = kNoValue;
};

Result<Stack> ReadAll(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                      int depth) {
  Document& document = model.document;
  const bool trees = std::all_of(segments.begin(), segments.end(), [](const Segment& segment) {
    const std::string_view strategy = Text(segment.model, "missingValueStrategy");
    return std::string_view(segment.model.name()) == "TreeModel" &&
           !segment.model.child("Targets") && strategy != "weightedConfidence" &&
           strategy != "aggregateNodes";
  });
  if (trees) {
    std::vector<TreeSource> sources;
    for (const Segment& segment : segments) {
      ATH_TRY(Scope inner, InnerScope(document, scope, segment.model));
      sources.push_back({segment.model, std::move(inner)});
    }
    ATH_TRY(const Answer answer, ReadTrees(model, sources));
    return Stack{answer.classification, answer.value, answer.probabilities};
  }
  Calculator& c = model.calculator();
  std::vector<ValueId> values, probabilities;
  std::vector<Status> problems;
  for (const Segment& segment : segments) {
    const Model inner = DescribeModel(document, segment.model, &model);
    const auto read = [&]() -> Result<Answer> {
      ATH_TRY(const Scope inside, InnerScope(document, scope, segment.model));
      return ReadModel(inner, inside, depth + 1);
    };
    Result<Answer> answer = read();
    if (!answer.ok()) {
      problems.push_back(std::move(answer).status());
      if (problems.size() == 16) break;
      continue;
    }
    if (answer->value == kNoValue) return Unsupported("segments that predict no value");
    values.push_back(answer->value);
    if (!answer->classification) continue;
    if (answer->classes.list() != model.classes.list())
      return InvalidModel("the segments predict different classes");
    ValueId shares = answer->probabilities;
    if (shares == kNoValue) {  // all on its class
      std::vector<double> codes;
      for (std::size_t i = 0; i < model.classes.size(); ++i)
        codes.push_back(static_cast<double>(i));
      shares = c.Number(c.Op("Equal", {answer->value, c.Row(codes)}));
    }
    probabilities.push_back(c.Op("Unsqueeze", {shares, c.Index(1)}));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  Stack all = {.classification = !probabilities.empty()};
  if (all.classification && probabilities.size() != values.size())
    return InvalidModel("segments of classification and of regression stand in one ensemble");
  all.values = c.SideBySide(values);
  if (all.classification)
    all.probabilities = c.Op("Concat", probabilities, {{"axis", std::int64_t{1}}});
  ATH_RETURN_IF_ERROR(c.status());
  return all;
}

// ---- sums, averages and votes

// The weight of each segment in each row: [1, segments], or [rows, segments] with conditions.
Result<ValueId> Weights(const Model& model, const Scope& scope,
                        const std::vector<Segment>& segments, bool weighted) {
  Calculator& c = model.calculator();
  std::vector<double> weights;
  for (const Segment& segment : segments) weights.push_back(weighted ? segment.weight : 1);
  const ValueId row = c.Row(weights);
  if (std::all_of(segments.begin(), segments.end(), [](const Segment& s) { return s.always(); }))
    return row;
  std::vector<ValueId> active;
  for (const Segment& segment : segments) {
    ATH_TRY(const ValueId is_active, IsActive(model, scope, segment));
    active.push_back(c.Number(is_active));
  }
  return c.Mul(row, c.SideBySide(std::move(active)));
}

// One where the segment's class is: [rows, segments, classes].
ValueId Votes(const Model& model, ValueId values) {
  Calculator& c = model.calculator();
  std::vector<double> codes;
  for (std::size_t i = 0; i < model.classes.size(); ++i) codes.push_back(static_cast<double>(i));
  const ValueId classes =
      c.graph().AddConstant(Tensor::FromVector({1, 1, model.num_classes()}, codes));
  const ValueId wide = c.Op("Unsqueeze", {values, c.Index(2)});
  const ValueId votes = c.Number(c.Op("Equal", {wide, classes}));
  return c.Where(c.IsMissing(wide), c.Missing(), votes);
}

// Sums over the segments, and their sum of weights where an average is wanted.
Result<Answer> Sum(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                   std::string_view method, int depth) {
  Calculator& c = model.calculator();
  ATH_TRY(const Stack all, ReadAll(model, scope, segments, depth));
  ATH_TRY(const ValueId weights, Weights(model, scope, segments, method.starts_with("weighted")));
  const bool average = !method.ends_with("um");
  Answer answer = model.NewAnswer();
  answer.classification = all.classification;
  if (!all.classification) {
    // A segment that does not count must not make the sum missing.
    const ValueId counts = c.Op("Greater", {c.Op("Abs", {weights}), c.Constant(0)});
    const ValueId parts = c.Where(counts, c.Mul(all.values, weights), c.Constant(0));
    answer.value = c.Sum(parts);
    if (average) answer.value = c.Div(answer.value, c.Sum(weights));
    return answer;
  }
  ValueId parts = method.ends_with("ajorityVote") ? Votes(model, all.values) : all.probabilities;
  const ValueId wide = c.Op("Unsqueeze", {weights, c.Index(2)});
  const ValueId counts = c.Op("Greater", {c.Op("Abs", {wide}), c.Constant(0)});
  parts = c.Where(counts, c.Mul(parts, wide), c.Constant(0));
  ValueId sum = c.Op("ReduceSum", {parts, c.Index(1)}, {{"keepdims", std::int64_t{0}}});
  sum = c.Div(sum, average ? c.Sum(weights) : c.Sum(sum));
  answer.probabilities = sum;
  answer.value = c.Best(sum);
  return answer;
}

// Median and maximum of numbers; of classes, the probabilities of the segment that is surest.
Result<Answer> Order(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                     std::string_view method, int depth) {
  Calculator& c = model.calculator();
  if (!std::all_of(segments.begin(), segments.end(), [](const Segment& s) { return s.always(); }))
    return Unsupported("multipleModelMethod {} of segments with conditions", Quote(method));
  ATH_TRY(const Stack all, ReadAll(model, scope, segments, depth));
  Answer answer = model.NewAnswer();
  answer.classification = all.classification;
  const std::size_t count = segments.size();
  if (!all.classification && method == "max") {
    answer.value = c.Op("ReduceMax", {all.values, c.Index(1)});
    return answer;
  }
  if (!all.classification) {
    ATH_TRY(const Ranking sorted, RankColumns(c, all.values, count, true, {}));
    const ValueId low = c.ColumnAt(sorted.scores, (count - 1) / 2);
    const ValueId high = c.ColumnAt(sorted.scores, count / 2);
    answer.value = c.Mul(c.Constant(0.5), c.Add(low, high));
    return answer;
  }
  if (method != "max")
    return Unsupported("multipleModelMethod {} for classification", Quote(method));
  const ValueId top = c.Op("ReduceMax", {all.probabilities, c.Index(2)});  // [rows, segments, 1]
  const ValueId best = c.Op("ReduceMax", {top, c.Index(1)});
  const ValueId is_best = c.Number(c.Op("Equal", {top, best}));
  const ValueId sum = c.Op("ReduceSum", {c.Mul(all.probabilities, is_best), c.Index(1)},
                           {{"keepdims", std::int64_t{0}}});
  const ValueId number = c.Op("ReduceSum", {is_best, c.Index(1)}, {{"keepdims", std::int64_t{0}}});
  answer.probabilities = c.Div(sum, number);
  answer.value = c.Best(answer.probabilities);
  return answer;
}

// ---- one answer of several

// `next` where it counts, else `before`: both for one target.
Status Overlay(Calculator& c, ValueId active, const Answer& next, Answer& before) {
  if (next.classification != before.classification)
    return InvalidModel("segments for one target predict numbers and classes");
  Field shown = {.column = next.value, .text = next.classification, .categories = next.classes};
  Field old = {.column = before.value, .text = before.classification, .categories = before.classes};
  const bool same = next.classes.list() == before.classes.list();
  const auto choose = [&](ValueId yes, ValueId no) {
    return yes == kNoValue || no == kNoValue || !same ? kNoValue : c.Where(active, yes, no);
  };
  before.probabilities = choose(next.probabilities, before.probabilities);
  before.confidences = choose(next.confidences, before.confidences);
  Unify(c, shown, old);
  before.classes = shown.categories;
  before.value = c.Where(active, shown.column, old.column);
  before.entity.reset();
  before.ranking.reset();
  before.reasons.reset();
  return c.status();
}

// An answer with nothing in the rows where the segment does not count.
void Mask(Calculator& c, ValueId active, Answer& answer) {
  for (ValueId* column :
       {&answer.value, &answer.probabilities, &answer.confidences, &answer.affinities}) {
    if (*column != kNoValue) *column = c.Where(active, *column, c.Missing());
  }
  for (auto& [name, field] : answer.fields) {
    field.column = c.Where(active, field.column, c.Missing());
    if (field.strings != kNoValue) field.strings = c.Where(active, field.strings, c.Text(""));
  }
}

// Reads a segment in its own scope and sets what it gives out in `scope`, for those behind it.
Result<Answer> ReadLink(const Model& model, const Segment& segment, bool helper, Scope& scope,
                        int depth) {
  Document& document = model.document;
  ATH_TRY(Scope inside, InnerScope(document, scope, segment.model));
  const Model inner = DescribeModel(document, segment.model, helper ? nullptr : &model);
  ATH_TRY(Answer answer, ReadModel(inner, inside, depth + 1));
  ATH_TRY(const std::vector<OutputValue> values,
          ReadOutputs(document, inside, answer, segment.model));
  for (const OutputValue& value : values) {
    const auto same = [&](const auto& field) { return field.first == value.name; };
    std::erase_if(answer.fields, same);
    if (value.final_result) answer.fields.emplace_back(value.name, value.field);
    scope.Set(value.name, value.field);
  }
  return answer;
}

// modelChain, x-multiModelChain and selectFirst: the last (the first) segment that counts answers.
Result<Answer> Chain(const Model& model, const Scope& outer, std::vector<Segment> segments,
                     bool first_counts, int depth) {
  Calculator& c = model.calculator();
  Scope scope = outer.Inner();
  if (first_counts) std::reverse(segments.begin(), segments.end());
  // Where some segments name what they predict, the others only help them.
  const bool named = std::any_of(segments.begin(), segments.end(),
                                 [](const Segment& s) { return HasTarget(s.model); });
  std::vector<Answer> answers;  // one per target
  std::vector<std::pair<std::string, Field>> fields;
  for (const Segment& segment : segments) {
    const bool other_kind =
        Text(segment.model, "functionName") != Text(model.element, "functionName");
    const bool helper = !HasTarget(segment.model) && (named || other_kind);
    ATH_TRY(Answer answer, ReadLink(model, segment, helper, scope, depth));
    ATH_TRY(const ValueId active, IsActive(model, scope, segment));
    if (!segment.always()) Mask(c, active, answer);
    for (auto& [name, field] : answer.fields) {
      const auto known = std::find_if(fields.begin(), fields.end(),
                                      [&, n = &name](const auto& f) { return f.first == *n; });
      if (known != fields.end()) fields.erase(known);
      scope.Set(name, field);
      fields.emplace_back(name, field);
    }
    answer.fields.clear();
    std::vector<Answer> given = std::move(answer.others);
    answer.others.clear();
    given.insert(given.begin(), std::move(answer));
    for (Answer& one : given) {
      if (one.value == kNoValue && !one.associations) continue;
      const auto before = std::find_if(answers.begin(), answers.end(),
                                       [&](const Answer& a) { return a.target == one.target; });
      if (before == answers.end()) {
        answers.push_back(std::move(one));
      } else if (segment.always() || one.value == kNoValue || before->value == kNoValue) {
        *before = std::move(one);
      } else {
        ATH_RETURN_IF_ERROR(Overlay(c, active, one, *before));
      }
    }
  }
  if (answers.empty()) return InvalidModel("no segment predicts anything");
  if (std::any_of(answers.begin(), answers.end(),
                  [](const Answer& a) { return !a.target.empty(); }))
    std::erase_if(answers, [](const Answer& a) { return a.target.empty(); });
  // The answer to the model's own target comes first.
  const auto own = std::find_if(answers.begin(), answers.end(),
                                [&](const Answer& a) { return a.target == model.target; });
  if (own != answers.end()) std::rotate(answers.begin(), own, own + 1);
  Answer answer = std::move(answers[0]);
  answer.others.assign(std::make_move_iterator(answers.begin() + 1),
                       std::make_move_iterator(answers.end()));
  answer.fields = std::move(fields);
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

}  // namespace

Result<Answer> ReadMining(const Model& model, const Scope& scope, int depth) {
  const Element segmentation = model.element.child("Segmentation");
  if (!segmentation) return Unsupported("a <MiningModel> without <Segmentation>");
  ATH_TRY(const std::vector<Segment> segments, ReadSegments(segmentation));
  const std::string_view method = Text(segmentation, "multipleModelMethod");
  if (method == "selectFirst") return Chain(model, scope, segments, true, depth);
  if (method == "modelChain" || method == "x-multiModelChain")
    return Chain(model, scope, segments, false, depth);
  constexpr std::array<std::string_view, 6> kSums = {
      "average", "majorityVote", "sum", "weightedAverage", "weightedMajorityVote", "weightedSum"};
  if (std::find(kSums.begin(), kSums.end(), method) != kSums.end()) {
    const bool votes = method.ends_with("ajorityVote");
    if (votes && !model.classification())
      return InvalidModel("multipleModelMethod {} of numbers", Quote(method));
    return Sum(model, scope, segments, method, depth);
  }
  if (method == "median" || method == "max") return Order(model, scope, segments, method, depth);
  return Unsupported(
      "multipleModelMethod {} is not implemented; {}, max, median, modelChain and selectFirst are",
      Quote(method), Join(std::vector<std::string>(kSums.begin(), kSums.end()), ", "));
}

}  // namespace athanor::pmml
