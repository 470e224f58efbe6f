// MiningModel: segments combined by sum, average, vote, or one after the other.
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/tabular/columns.h"

namespace athanor::pmml {
namespace {

constexpr int kDeepestModel = 16;

struct Segment {
  Element model;
  Element predicate;
  double weight = 1;
};

Result<std::vector<Segment>> ReadSegments(const Element& segmentation) {
  std::vector<Segment> segments;
  for (const Element& element : segmentation.children("Segment")) {
    Segment segment;
    ATH_TRY(segment.predicate, PredicateIn(element));
    ATH_TRY(segment.weight, NumberOr(element, "weight", 1));
    for (const Element& child : element.children()) {
      const std::string_view name = child.name();
      if (name.ends_with("Model") || name.ends_with("Network") || name == "Scorecard")
        segment.model = child;
    }
    if (!segment.model)
      return InvalidModel("<Segment> {} has no model", Quote(Text(element, "id")));
    segments.push_back(segment);
  }
  if (segments.empty()) return InvalidModel("<Segmentation> has no segments");
  return segments;
}

ValueId Axis(Context& context, std::int64_t axis) {
  return context.graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {axis}));
}

// The answers of all segments: values [rows, segments], probabilities [rows, segments, classes].
Result<Answer> ReadAll(Context& context, const Scope& scope, const std::vector<Segment>& segments,
                       int depth) {
  const bool trees = std::all_of(segments.begin(), segments.end(), [](const Segment& segment) {
    return std::string_view(segment.model.name()) == "TreeModel";
  });
  if (trees) {
    std::vector<TreeSource> sources;
    for (const Segment& segment : segments) {
      ATH_TRY(Scope inner, InnerScope(context, scope, segment.model));
      sources.push_back({segment.model, std::move(inner)});
    }
    return ReadTrees(context, sources);
  }
  Calculator& c = context.calculator;
  std::vector<ValueId> values, probabilities;
  std::vector<Status> problems;
  for (const Segment& segment : segments) {
    Result<Answer> answer = ReadModel(context, scope, segment.model, depth + 1);
    if (!answer.ok()) {
      problems.push_back(std::move(answer).status());
      if (problems.size() == 16) break;
      continue;
    }
    values.push_back(answer->value);
    if (answer->classification)
      probabilities.push_back(c.Op("Unsqueeze", {answer->probabilities, Axis(context, 1)}));
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  Answer all = {.classification = !probabilities.empty()};
  if (all.classification && probabilities.size() != values.size())
    return InvalidModel("segments of classification and of regression stand in one ensemble");
  ATH_TRY(all.value, tabular::SideBySide(context.graph, values));
  if (all.classification)
    all.probabilities = c.Op("Concat", probabilities, {{"axis", std::int64_t{1}}});
  ATH_RETURN_IF_ERROR(c.status());
  return all;
}

// Weighted sums over the segments; divided by the weight of all for an average.
Result<Answer> Combine(Context& context, const Answer& all, const std::vector<Segment>& segments,
                       std::string_view method) {
  Calculator& c = context.calculator;
  const bool weighted = method.starts_with("weighted");
  const bool vote = method.ends_with("ajorityVote");
  const bool average = vote || method.ends_with("verage");
  std::vector<double> weights;
  double total = 0;
  for (const Segment& segment : segments) {
    weights.push_back(weighted ? segment.weight : 1);
    total += weights.back();
  }
  const auto count = static_cast<std::int64_t>(weights.size());
  ValueId parts = all.value;
  Dims shape = {1, count};
  if (all.classification) {
    shape.push_back(1);
    parts = all.probabilities;
    if (vote) {
      // One where the segment's class is; its code against the codes of all classes.
      std::vector<double> codes;
      for (std::size_t i = 0; i < context.classes.size(); ++i)
        codes.push_back(static_cast<double>(i));
      const ValueId classes =
          context.graph.AddConstant(Tensor::FromVector({1, 1, context.num_classes()}, codes));
      const ValueId votes = c.Op("Unsqueeze", {all.value, Axis(context, 2)});
      parts = c.Number(c.Op("Equal", {votes, classes}));
    }
  }
  if (weighted) {
    parts = c.Mul(parts, context.graph.AddConstant(Tensor::FromVector(shape, weights)));
  }
  const std::int64_t keep = all.classification ? 0 : 1;
  ValueId sum = c.Op("ReduceSum", {parts, Axis(context, 1)}, {{"keepdims", keep}});
  if (average) sum = c.Div(sum, c.Constant(total));
  Answer answer = {.classification = all.classification, .value = sum};
  if (all.classification) {
    answer.probabilities = sum;
    answer.value = BestClass(c, sum);
  }
  ATH_RETURN_IF_ERROR(c.status());
  return answer;
}

}  // namespace

Result<Answer> ReadMining(Context& context, const Scope& scope, const Element& model, int depth) {
  if (depth > kDeepestModel)
    return Error(ErrorCode::kResource, "models are nested more than {} deep", kDeepestModel);
  const Element segmentation = model.child("Segmentation");
  if (!segmentation) return Unsupported("a <MiningModel> without <Segmentation>");
  ATH_TRY(const std::vector<Segment> segments, ReadSegments(segmentation));
  for (const Segment& segment : segments) {
    if (std::string_view(segment.predicate.name()) != "True") {
      return Unsupported("<Segment> {} has a condition <{}>; <True> is implemented",
                         Quote(Text(segment.predicate.parent(), "id")), segment.predicate.name());
    }
  }
  const std::string_view method = Text(segmentation, "multipleModelMethod");
  const bool classification = Text(model, "functionName") == "classification";
  const bool sums = method == "sum" || method == "weightedSum" || method == "average" ||
                    method == "weightedAverage";
  const bool votes =
      classification && (method == "majorityVote" || method == "weightedMajorityVote");
  if (method == "selectFirst") return ReadModel(context, scope, segments[0].model, depth + 1);
  const bool known = votes || (sums && !(classification && method.ends_with("um")));
  if (!known) {
    return Unsupported(
        "multipleModelMethod {} is not implemented for {}; sum, average, weightedAverage, "
        "majorityVote, weightedMajorityVote and selectFirst are",
        Quote(method), Quote(Text(model, "functionName")));
  }
  ATH_TRY(const Answer all, ReadAll(context, scope, segments, depth));
  return Combine(context, all, segments, method);
}

}  // namespace athanor::pmml
