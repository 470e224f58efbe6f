// Formulas of support vector machines, in f64: linear ones, and kernels with few vectors.
#include <algorithm>

#include "codegen/table/scores.h"
#include "ops/ml/svm.h"

namespace athanor::codegen {
namespace {

constexpr std::size_t kMostVectors = 64;  // each is a line of its own

// kernel(x, z) for each of the rows z.
std::vector<TermId> KernelValues(TermMaker& make, const ops::SvmAttrs& attrs,
                                 const std::vector<TermId>& x, const std::vector<float>& rows) {
  const auto call = [&](Fn fn, std::vector<TermId> args) {
    return make.Call(fn, DType::kF64, std::move(args));
  };
  const auto number = [&](double value) { return make.Number(DType::kF64, value); };
  const bool rbf = attrs.kernel_type == "RBF";
  std::vector<float> params = attrs.kernel_params;
  params.resize(3, 0);
  std::vector<TermId> values;
  for (std::size_t begin = 0; begin + x.size() <= rows.size(); begin += x.size()) {
    std::vector<TermId> parts;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const TermId z = number(rows[begin + i]);
      parts.push_back(rbf ? call(Fn::kSquare, {call(Fn::kSub, {x[i], z})})
                          : call(Fn::kMul, {x[i], z}));
    }
    const TermId sum = Sum(make, DType::kF64, std::move(parts));
    const TermId scaled = call(Fn::kMul, {number(rbf ? -params[0] : params[0]), sum});
    const TermId moved = call(Fn::kAdd, {scaled, number(params[1])});
    if (rbf) {
      values.push_back(call(Fn::kExp, {scaled}));
    } else if (attrs.kernel_type == "POLY") {
      values.push_back(call(Fn::kPow, {moved, number(params[2])}));
    } else {
      values.push_back(attrs.kernel_type == "SIGMOID" ? call(Fn::kTanh, {moved}) : sum);
    }
  }
  return values;
}

Status CheckCount(std::size_t vectors) {
  if (vectors <= kMostVectors) return {};
  return Unsupported("{} support vectors; up to {} are written", vectors, kMostVectors);
}

// first + sum of weights[i] * values[i]
TermId WeightedSum(TermMaker& make, double first, std::span<const float> weights,
                   std::span<const TermId> values) {
  std::vector<TermId> parts = {make.Number(DType::kF64, first)};
  for (std::size_t i = 0; i < values.size(); ++i)
    parts.push_back(
        make.Call(Fn::kMul, DType::kF64, {make.Number(DType::kF64, weights[i]), values[i]}));
  return Sum(make, DType::kF64, std::move(parts));
}

Status SvmRegressor(Lowering& l) {
  const auto attrs = l.Attrs<ops::SvmRegressorAttrs>();
  TermMaker& make = l.make;
  const std::vector<TermId> x = Doubles(make, l.in[0].terms);
  ATH_RETURN_IF_ERROR(CheckCount(static_cast<std::size_t>(attrs.n_supports)));
  const bool linear = attrs.n_supports == 0;
  const std::vector<float> one = {1};
  const std::vector<TermId> values =
      KernelValues(make, attrs, x, linear ? attrs.coefficients : attrs.support_vectors);
  TermId score = WeightedSum(make, attrs.rho[0], linear ? one : attrs.coefficients, values);
  if (attrs.one_class) {
    const auto number = [&](double value) { return make.Number(DType::kF64, value); };
    const TermId inside = make.Call(Fn::kGreater, DType::kBool, {score, number(0)});
    score = make.Call(Fn::kWhere, DType::kF64, {inside, number(1), number(-1)});
  }
  ATH_TRY(const ops::PostTransform transform, ops::PostTransformFromName(attrs.post_transform));
  SetRounded(l, 0, Transformed(make, transform, {score}));
  return {};
}

// Scores of a linear model, and its label: of two classes the second wins by a positive score of
// either, or by 0.5 where no coefficient is negative (svm.cpp).
TermId LinearSvm(TermMaker& make, const ops::SvmClassifierAttrs& attrs,
                 const std::vector<TermId>& x, std::vector<TermId>& scores) {
  for (std::size_t i = 0; i < attrs.Labels().size(); ++i)
    scores.push_back(WeightedSum(make, attrs.rho[0],
                                 std::span(attrs.coefficients).subspan(i * x.size(), x.size()), x));
  const TermId best = BestLabel(make, attrs.Labels(), scores);
  if (scores.size() != 2 || !attrs.prob_a.empty()) return best;
  const bool positive = std::all_of(attrs.coefficients.begin(), attrs.coefficients.end(),
                                    [](float value) { return value >= 0; });
  const TermId top = make.Call(Fn::kMax, DType::kF64, {scores[0], scores[1]});
  const TermId second = make.Call(positive ? Fn::kGreaterOrEqual : Fn::kGreater, DType::kBool,
                                  {top, make.Number(DType::kF64, positive ? 0.5 : 0)});
  return make.Call(Fn::kWhere, make[best].dtype,
                   {second, LabelTerm(make, attrs.Labels(), 1), best});
}

// Scores of all pairs of classes, and the label of the class that wins most of them.
TermId Duels(TermMaker& make, const ops::SvmClassifierAttrs& attrs, const std::vector<TermId>& x,
             std::vector<TermId>& scores) {
  const std::vector<TermId> values = KernelValues(make, attrs, x, attrs.support_vectors);
  std::vector<std::size_t> first = {0};
  for (const std::int64_t count : attrs.vectors_per_class)
    first.push_back(first.back() + static_cast<std::size_t>(count));
  const auto weigh = [&](double begin, std::size_t of, std::size_t row) {
    const std::size_t count = first[of + 1] - first[of];
    return WeightedSum(
        make, begin, std::span(attrs.coefficients).subspan(row * values.size() + first[of], count),
        std::span(values).subspan(first[of], count));
  };
  const std::size_t classes = attrs.Labels().size();
  const TermId zero = make.Number(DType::kF64, 0);
  std::vector<std::vector<TermId>> won(classes, {zero});
  for (std::size_t i = 0; i < classes; ++i) {
    for (std::size_t j = i + 1; j < classes; ++j) {
      const TermId score = make.Call(Fn::kAdd, DType::kF64,
                                     {weigh(attrs.rho[scores.size()], i, j - 1), weigh(0, j, i)});
      scores.push_back(score);
      const TermId wins = make.Call(Fn::kGreater, DType::kBool, {score, zero});
      won[i].push_back(make.Cast(DType::kF64, wins));
      won[j].push_back(make.Cast(DType::kF64, make.Call(Fn::kNot, DType::kBool, {wins})));
    }
  }
  std::vector<TermId> votes;
  for (std::vector<TermId>& list : won) votes.push_back(Sum(make, DType::kF64, std::move(list)));
  if (scores.size() == 1) scores = {make.Call(Fn::kNeg, DType::kF64, {scores[0]}), scores[0]};
  return BestLabel(make, attrs.Labels(), votes);
}

Status SvmClassifier(Lowering& l) {
  const auto attrs = l.Attrs<ops::SvmClassifierAttrs>();
  TermMaker& make = l.make;
  const std::vector<TermId> x = Doubles(make, l.in[0].terms);
  const auto vectors = static_cast<std::size_t>(attrs.vectors());
  ATH_RETURN_IF_ERROR(CheckCount(vectors));
  if (vectors > 0 && !attrs.prob_a.empty())
    return Unsupported("probabilities of support vectors, which are found step by step");
  std::vector<TermId> scores;
  const TermId label =
      vectors == 0 ? LinearSvm(make, attrs, x, scores) : Duels(make, attrs, x, scores);
  if (l.node().outputs[0] != kNoValue) l.SetOut({label}, 0);
  if (l.out.size() < 2 || l.node().outputs[1] == kNoValue) return {};
  ATH_TRY(const ops::PostTransform transform, ops::PostTransformFromName(attrs.post_transform));
  SetRounded(l, 1, Transformed(make, transform, std::move(scores)));
  return {};
}

}  // namespace

std::vector<LoweringRow> SvmLowerings() {
  return {{"SVMClassifier", SvmClassifier}, {"SVMRegressor", SvmRegressor}};
}

}  // namespace athanor::codegen
