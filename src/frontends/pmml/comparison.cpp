// Comparison measures and rankings: what clusters and neighbours share.
#include <array>
#include <cmath>
#include <limits>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

Tensor Numbers(std::vector<double> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::FromVector({count}, std::move(values));
}

}  // namespace

Result<Comparison> Compare(Calculator& c, const Element& measure,
                           const std::vector<Element>& fields, ValueId x, ValueId points,
                           std::span<const double> missing_weights) {
  constexpr std::array<std::string_view, 9> kMeasures = {
      "squaredEuclidean", "euclidean", "cityBlock", "chebychev",       "minkowski",
      "simpleMatching",   "jaccard",   "tanimoto",  "binarySimilarity"};
  Element kind;
  for (const Element& child : measure.children()) {
    for (const std::string_view name : kMeasures) {
      if (name == child.name()) kind = child;
    }
  }
  if (!kind) return InvalidModel("<ComparisonMeasure> names no measure that is known");
  std::string_view usual = Text(measure, "compareFunction");
  if (usual.empty()) usual = "absDiff";
  std::vector<std::string> compare;
  std::vector<double> weights, scales;
  for (const Element& field : fields) {
    const std::string_view own = Text(field, "compareFunction");
    compare.emplace_back(own.empty() ? usual : own);
    if (compare.back() == "table") return Unsupported("compareFunction table is not implemented");
    ATH_TRY(const double weight, NumberOr(field, "fieldWeight", 1));
    ATH_TRY(const double scale, NumberOr(field, "similarityScale", 1));
    weights.push_back(weight);
    scales.push_back(scale);
  }
  AttrMap attributes = {{"measure", std::string(kind.name())}, {"compare", std::move(compare)}};
  attributes.Set("weights", Numbers(std::move(weights)));
  attributes.Set("scales", Numbers(std::move(scales)));
  if (!missing_weights.empty())
    attributes.Set("missing_weights",
                   Numbers(std::vector<double>(missing_weights.begin(), missing_weights.end())));
  if (std::string_view(kind.name()) == "minkowski") {
    ATH_TRY(const double p, Number(kind, "p-parameter"));
    attributes.Set("p", static_cast<float>(p));
  }
  if (std::string_view(kind.name()) == "binarySimilarity") {
    std::vector<double> parameters;
    for (const char* name : {"c00-parameter", "c01-parameter", "c10-parameter", "c11-parameter",
                             "d00-parameter", "d01-parameter", "d10-parameter", "d11-parameter"}) {
      ATH_TRY(const double parameter, Number(kind, name));
      parameters.push_back(parameter);
    }
    attributes.Set("parameters", Numbers(std::move(parameters)));
  }
  const ValueId values = c.Op("PairwiseMeasure", {x, points}, std::move(attributes));
  ATH_RETURN_IF_ERROR(c.status());
  return Comparison{values, Text(measure, "kind") != "similarity"};
}

Result<Ranking> RankColumns(Calculator& c, ValueId scores, std::size_t count, bool least_first,
                            Categories ids) {
  // Missing scores come last.
  const double worst = (least_first ? 1 : -1) * std::numeric_limits<double>::infinity();
  const ValueId filled = c.Given(scores, c.Constant(worst));
  ATH_RETURN_IF_ERROR(c.status());
  ATH_TRY(const NodeId node,
          c.graph().AddNode({.op = "TopK",
                             .inputs = {filled, c.Index(static_cast<std::int64_t>(count))},
                             .attributes = {{"axis", std::int64_t{1}},
                                            {"largest", std::int64_t{least_first ? 0 : 1}}},
                             .num_outputs = 2}));
  const ValueId best = c.graph().node(node).outputs[0];
  const ValueId positions = c.graph().node(node).outputs[1];
  const ValueId none = c.Op("Equal", {best, c.Constant(worst)});
  Ranking ranking = {.ids = std::move(ids), .count = count};
  ranking.order = c.Where(none, c.Missing(), c.Number(positions));
  ranking.scores = c.Where(none, c.Missing(), best);
  ATH_RETURN_IF_ERROR(c.status());
  return ranking;
}

}  // namespace athanor::pmml
