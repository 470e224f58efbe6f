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

// What becomes of a segment that predicts nothing for a row.
enum class MissingPrediction : std::uint8_t {
  kContinue,      // it has no vote; sums and averages are missing
  kSkip,          // it does not count
  kReturnMissing  // there is no answer
};

struct Combination {
  std::string_view method;
  MissingPrediction missing = MissingPrediction::kContinue;
  double threshold = 1;  // a greater share of missing predictions leaves no answer
};

Result<Combination> ReadCombination(const Element& segmentation) {
  Combination combination = {.method = Text(segmentation, "multipleModelMethod")};
  const std::string_view treatment = Text(segmentation, "missingPredictionTreatment");
  if (treatment == "skipSegment") {
    combination.missing = MissingPrediction::kSkip;
  } else if (treatment == "returnMissing") {
    combination.missing = MissingPrediction::kReturnMissing;
  } else if (!treatment.empty() && treatment != "continue") {
    return InvalidModel(
        "missingPredictionTreatment {} is not known; continue, skipSegment and returnMissing are",
        Quote(treatment));
  }
  ATH_TRY(combination.threshold, NumberOr(segmentation, "missingThreshold", 1));
  return combination;
}

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

// What each segment weighs in each row: [1, segments], or [rows, segments] with conditions, less
// the segments that predict nothing and do not count. `none`: where there is no answer.
struct Weighing {
  ValueId weights = kNoValue, none = kNoValue;
};

Result<Weighing> Weigh(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                       const Combination& combination, ValueId values) {
  Calculator& c = model.calculator();
  const bool weighted = combination.method.starts_with("weighted");
  std::vector<double> numbers;
  for (const Segment& segment : segments) numbers.push_back(weighted ? segment.weight : 1);
  ValueId weights = c.Row(numbers);
  const bool always = std::all_of(segments.begin(), segments.end(),
                                  [](const Segment& segment) { return segment.always(); });
  if (!always) {
    std::vector<ValueId> active;
    for (const Segment& segment : segments) {
      ATH_TRY(const ValueId is_active, IsActive(model, scope, segment));
      active.push_back(c.Number(is_active));
    }
    weights = c.Mul(weights, c.SideBySide(std::move(active)));
  }
  Weighing result = {.weights = weights};
  const bool skips = combination.missing == MissingPrediction::kSkip;
  const ValueId missing = c.IsMissing(values);
  if (skips) result.weights = c.Where(missing, c.Constant(0), weights);
  const bool votes = combination.method.ends_with("ajorityVote");
  const bool sums = combination.method.ends_with("um") || combination.method.ends_with("verage");
  const bool tolerant = skips || (votes && combination.missing == MissingPrediction::kContinue);
  // A sum of something missing is missing by itself.
  if (tolerant ? combination.threshold >= 1 : sums) return result;
  const ValueId lost = c.Sum(c.Where(missing, weights, c.Constant(0)));
  const ValueId tolerated =
      tolerant ? c.Mul(c.Sum(weights), c.Constant(combination.threshold)) : c.Constant(0);
  result.none = c.Op("Greater", {lost, tolerated});
  ATH_RETURN_IF_ERROR(c.status());
  return result;
}

// No answer where `none` says so.
void LeaveOut(Calculator& c, ValueId none, Answer& answer) {
  if (none == kNoValue) return;
  for (ValueId* column :
       {&answer.value, &answer.probabilities, &answer.confidences, &answer.affinities}) {
    if (*column != kNoValue) *column = c.Where(none, c.Missing(), *column);
  }
}

// One where the segment's class is: [rows, segments, classes]. What is missing has no vote.
ValueId Votes(const Model& model, ValueId values) {
  Calculator& c = model.calculator();
  std::vector<double> codes;
  for (std::size_t i = 0; i < model.classes.size(); ++i) codes.push_back(static_cast<double>(i));
  const ValueId classes =
      c.graph().AddConstant(Tensor::FromVector({1, 1, model.num_classes()}, codes));
  const ValueId wide = c.Op("Unsqueeze", {values, c.Index(2)});
  return c.Number(c.Op("Equal", {wide, classes}));
}

// Sums over the segments, and their sum of weights where an average is wanted.
Result<Answer> Sum(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                   const Combination& combination, int depth) {
  Calculator& c = model.calculator();
  const std::string_view method = combination.method;
  ATH_TRY(const Stack all, ReadAll(model, scope, segments, depth));
  ATH_TRY(const Weighing weighing, Weigh(model, scope, segments, combination, all.values));
  const ValueId weights = weighing.weights;
  const bool average = !method.ends_with("um");
  Answer answer = model.NewAnswer();
  answer.classification = all.classification;
  // A segment that does not count must not make the sum missing.
  if (!all.classification) {
    const ValueId counts = c.Op("Greater", {c.Op("Abs", {weights}), c.Constant(0)});
    const ValueId parts = c.Where(counts, c.Mul(all.values, weights), c.Constant(0));
    answer.value = c.Sum(parts);
    if (average) answer.value = c.Div(answer.value, c.Sum(weights));
    LeaveOut(c, weighing.none, answer);
    return answer;
  }
  const bool votes = method.ends_with("ajorityVote");
  ValueId parts = votes ? Votes(model, all.values) : all.probabilities;
  const ValueId wide = c.Op("Unsqueeze", {weights, c.Index(2)});
  const ValueId counts = c.Op("Greater", {c.Op("Abs", {wide}), c.Constant(0)});
  parts = c.Where(counts, c.Mul(parts, wide), c.Constant(0));
  ValueId sum = c.Op("ReduceSum", {parts, c.Index(1)}, {{"keepdims", std::int64_t{0}}});
  sum = c.Div(sum, average && !votes ? c.Sum(weights) : c.Sum(sum));
  answer.probabilities = sum;
  answer.value = c.Best(sum);
  LeaveOut(c, weighing.none, answer);
  return answer;
}

// The least number that is not below half of the weight.
ValueId WeightedMedian(Calculator& c, ValueId values, ValueId weights, std::size_t count) {
  const ValueId half = c.Mul(c.Sum(weights), c.Constant(0.5));
  const ValueId infinity = c.Constant(std::numeric_limits<double>::infinity());
  std::vector<ValueId> candidates;
  for (std::size_t i = 0; i < count; ++i) {
    const ValueId own = c.ColumnAt(values, i);
    const ValueId up_to = c.Number(c.Op("LessOrEqual", {values, own}));
    const ValueId enough = c.Op("GreaterOrEqual", {c.Sum(c.Mul(up_to, weights)), half});
    candidates.push_back(c.Where(enough, own, infinity));
  }
  return c.Op("ReduceMin", {c.SideBySide(std::move(candidates)), c.Index(1)});
}

constexpr std::size_t kMostWeightedMedian = 256;  // it compares each with each

// Median and maximum of numbers; of classes, the probabilities of the segment that is surest.
Result<Answer> Order(const Model& model, const Scope& scope, const std::vector<Segment>& segments,
                     const Combination& combination, int depth) {
  Calculator& c = model.calculator();
  const std::string_view method = combination.method;
  ATH_TRY(const Stack all, ReadAll(model, scope, segments, depth));
  ATH_TRY(Weighing weighing, Weigh(model, scope, segments, combination, all.values));
  const ValueId counts = c.Op("Greater", {weighing.weights, c.Constant(0)});
  const ValueId nobody = c.Op("Equal", {c.Sum(c.Number(counts)), c.Constant(0)});
  weighing.none = weighing.none == kNoValue ? nobody : c.Op("Or", {weighing.none, nobody});
  Answer answer = model.NewAnswer();
  answer.classification = all.classification;
  const std::size_t count = segments.size();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!all.classification) {
    if (method == "max") {
      const ValueId values = c.Where(counts, all.values, c.Constant(-kInfinity));
      answer.value = c.Op("ReduceMax", {values, c.Index(1)});
    } else if (method == "median") {
      const ValueId values = c.Where(counts, all.values, c.Missing());
      std::vector<ValueId> columns;
      for (std::size_t i = 0; i < count; ++i) columns.push_back(c.ColumnAt(values, i));
      answer.value = Median(c, columns);
    } else {
      if (count > kMostWeightedMedian)
        return Unsupported("multipleModelMethod {} of more than {} segments", Quote(method),
                           kMostWeightedMedian);
      const ValueId values = c.Where(counts, all.values, c.Constant(kInfinity));
      answer.value = WeightedMedian(c, values, weighing.weights, count);
    }
    LeaveOut(c, weighing.none, answer);
    return answer;
  }
  if (method != "max")
    return Unsupported("multipleModelMethod {} for classification", Quote(method));
  const ValueId wide = c.Op("Unsqueeze", {counts, c.Index(2)});
  const ValueId shares = c.Where(wide, all.probabilities, c.Constant(0));
  const ValueId top = c.Where(wide, c.Op("ReduceMax", {shares, c.Index(2)}), c.Constant(-1));
  const ValueId best = c.Op("ReduceMax", {top, c.Index(1)});
  const ValueId is_best = c.Number(c.Op("Equal", {top, best}));  // [rows, segments, 1]
  const ValueId sum =
      c.Op("ReduceSum", {c.Mul(shares, is_best), c.Index(1)}, {{"keepdims", std::int64_t{0}}});
  const ValueId number = c.Op("ReduceSum", {is_best, c.Index(1)}, {{"keepdims", std::int64_t{0}}});
  answer.probabilities = c.Div(sum, number);
  answer.value = c.Best(answer.probabilities);
  LeaveOut(c, weighing.none, answer);
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

// What a link predicts for each target, over what the links before it did.
Status AddAnswers(Calculator& c, bool always, ValueId active, Answer answer,
                  std::vector<Answer>& answers) {
  std::vector<Answer> given = std::move(answer.others);
  answer.others.clear();
  given.insert(given.begin(), std::move(answer));
  for (Answer& one : given) {
    if (one.value == kNoValue && !one.associations) continue;
    const auto before = std::find_if(answers.begin(), answers.end(),
                                     [&](const Answer& a) { return a.target == one.target; });
    if (before == answers.end()) {
      answers.push_back(std::move(one));
    } else if (always || one.value == kNoValue || before->value == kNoValue) {
      *before = std::move(one);
    } else {
      ATH_RETURN_IF_ERROR(Overlay(c, active, one, *before));
    }
  }
  return {};
}

// modelChain, x-multiModelChain and selectFirst: the last (the first) segment that counts answers.
Result<Answer> Chain(const Model& model, const Scope& outer, std::vector<Segment> segments,
                     const Combination& combination, int depth) {
  Calculator& c = model.calculator();
  const bool first_counts = combination.method == "selectFirst";
  const bool skips = combination.missing == MissingPrediction::kSkip;
  Scope scope = outer.Inner();
  if (first_counts) std::reverse(segments.begin(), segments.end());
  // Where some segments name what they predict, the others only help them.
  const bool named = std::any_of(segments.begin(), segments.end(),
                                 [](const Segment& s) { return HasTarget(s.model); });
  ValueId none = kNoValue;      // where a link of the chain is missing that must not be
  std::vector<Answer> answers;  // one per target
  std::vector<std::pair<std::string, Field>> fields;
  for (const Segment& segment : segments) {
    const bool other_kind =
        Text(segment.model, "functionName") != Text(model.element, "functionName");
    const bool helper = !HasTarget(segment.model) && (named || other_kind);
    ATH_TRY(Answer answer, ReadLink(model, segment, helper, scope, depth));
    ATH_TRY(ValueId active, IsActive(model, scope, segment));
    if (combination.missing == MissingPrediction::kReturnMissing && !first_counts &&
        answer.value != kNoValue) {
      const ValueId lost = c.Op("And", {active, c.IsMissing(answer.value)});
      none = none == kNoValue ? lost : c.Op("Or", {none, lost});
    }
    const bool may_be_skipped = skips && answer.value != kNoValue;
    if (may_be_skipped) active = c.Op("And", {active, c.Op("Not", {c.IsMissing(answer.value)})});
    const bool always = segment.always() && !may_be_skipped;
    if (!always) Mask(c, active, answer);
    for (auto& [name, field] : answer.fields) {
      const auto known = std::find_if(fields.begin(), fields.end(),
                                      [&, n = &name](const auto& f) { return f.first == *n; });
      if (known != fields.end()) fields.erase(known);
      scope.Set(name, field);
      fields.emplace_back(name, field);
    }
    answer.fields.clear();
    ATH_RETURN_IF_ERROR(AddAnswers(c, always, active, std::move(answer), answers));
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
  LeaveOut(c, none, answer);
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

}  // namespace

Result<Answer> ReadMining(const Model& model, const Scope& scope, int depth) {
  const Element segmentation = model.element.child("Segmentation");
  if (!segmentation) return Unsupported("a <MiningModel> without <Segmentation>");
  ATH_TRY(const std::vector<Segment> segments, ReadSegments(segmentation));
  ATH_TRY(const Combination combination, ReadCombination(segmentation));
  const std::string_view method = combination.method;
  if (method == "selectFirst" || method == "modelChain" || method == "x-multiModelChain")
    return Chain(model, scope, segments, combination, depth);
  constexpr std::array<std::string_view, 6> kSums = {
      "average", "majorityVote", "sum", "weightedAverage", "weightedMajorityVote", "weightedSum"};
  if (std::find(kSums.begin(), kSums.end(), method) != kSums.end()) {
    const bool votes = method.ends_with("ajorityVote");
    if (votes && !model.classification())
      return InvalidModel("multipleModelMethod {} of numbers", Quote(method));
    return Sum(model, scope, segments, combination, depth);
  }
  if (method == "median" || method == "weightedMedian" || method == "max")
    return Order(model, scope, segments, combination, depth);
  return Unsupported(
      "multipleModelMethod {} is not implemented; {}, max, median, weightedMedian, modelChain and "
      "selectFirst are",
      Quote(method), Join(std::vector<std::string>(kSums.begin(), kSums.end()), ", "));
}

}  // namespace athanor::pmml
