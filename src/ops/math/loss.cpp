// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss.
#include <cmath>

#include "core/checked.h"
#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/math/axes.h"

namespace athanor::ops {
namespace {

using IndexTypes = TypeList<std::int64_t, std::int32_t>;

struct LossAttrs {
  std::optional<std::int64_t> ignore_index;
  std::string reduction = "mean";
  template <class V>
  void Visit(V& v) {
    v("ignore_index", ignore_index, "class that counts nothing");
    v("reduction", reduction, "none, sum, or mean (weighted)");
  }
};

// scores [n, classes, ...], labels [n, ...], weights [classes]
Status CheckInputs(InferCtx& ctx, const LossAttrs& attrs) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, FloatTypes{}));
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 1, IndexTypes{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  if (attrs.reduction != "none" && attrs.reduction != "sum" && attrs.reduction != "mean")
    return InvalidModel("reduction is \"{}\"; none, sum and mean are accepted", attrs.reduction);
  const Type &scores = ctx.In(0), &labels = ctx.In(1);
  if (!scores.HasRank()) return {};
  const Dim& classes = scores.dim(1);
  if (ctx.Has(2) && ctx.In(2).HasRank()) {
    const Dim& weights = ctx.In(2).dim(0);
    if (classes.IsConst() && weights.IsConst() && !(classes == weights))
      return InvalidModel("{} weights are given for {} classes", weights.value(), classes.value());
  }
  if (!labels.HasRank()) return {};
  bool fits = labels.rank() == scores.rank() - 1;
  for (std::int64_t i = 0; fits && i < labels.rank(); ++i) {
    const Dim &a = labels.dim(i), &b = scores.dim(i == 0 ? 0 : i + 1);
    fits = !a.IsConst() || !b.IsConst() || a == b;
  }
  if (!fits)
    return InvalidModel("labels {} do not fit scores {}", labels.ToString(), scores.ToString());
  return {};
}

Type LossType(const InferCtx& ctx, const LossAttrs& attrs) {
  if (attrs.reduction != "none") return Type::Tensor(ctx.InDType(0), {});
  if (ctx.In(1).HasRank()) return Type::Tensor(ctx.InDType(0), *ctx.In(1).shape);
  return Type::TensorOfUnknownRank(ctx.InDType(0));
}

Status InferLoss(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<LossAttrs>();
  ATH_RETURN_IF_ERROR(CheckInputs(ctx, attrs));
  ctx.out[0] = LossType(ctx, attrs);
  if (ctx.num_outputs() > 1) ctx.out[1] = ctx.In(0);
  return {};
}

// The loss of log-probabilities laid out as `view` along the class axis.
Status WriteLoss(RefCtx& ctx, const std::vector<double>& log_probabilities, const AxisView& view) {
  const auto attrs = ctx.Attrs<LossAttrs>();
  ATH_TRY(const std::vector<std::int64_t> labels, ToInts(ctx.In(1)));
  std::vector<double> weights(static_cast<std::size_t>(view.length), 1.0);
  if (ctx.Has(2)) {
    ATH_TRY(weights, ToDoubles(ctx.In(2)));
  }
  std::vector<double> losses(labels.size(), 0.0);
  double sum = 0, weight_sum = 0;
  for (std::size_t at = 0; at < labels.size(); ++at) {
    const std::int64_t label = labels[at];
    if (attrs.ignore_index && label == *attrs.ignore_index) continue;
    if (label < 0 || label >= view.length)
      return DataError("label {} is outside [0, {}]", label, view.length - 1);
    const auto position = static_cast<std::int64_t>(at);
    const std::int64_t element =
        (position / view.inner * view.length + label) * view.inner + position % view.inner;
    const double weight = weights[static_cast<std::size_t>(label)];
    losses[at] = -weight * log_probabilities[static_cast<std::size_t>(element)];
    sum += losses[at];
    weight_sum += weight;
  }
  if (attrs.reduction == "mean") sum /= weight_sum;
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    if (attrs.reduction != "none") {
      y[0] = static_cast<T>(sum);
      return {};
    }
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<T>(losses[i]);
    return {};
  });
}

Status LikelihoodReference(RefCtx& ctx) {
  ATH_TRY(const std::vector<double> log_probabilities, ToDoubles(ctx.In(0)));
  return WriteLoss(ctx, log_probabilities, AlongAxis(ctx.In(0).dims(), 1));
}

// Scores become logarithms of softmax along the class axis.
void NormaliseScores(std::vector<double>& scores, const AxisView& view) {
  for (std::int64_t i = 0; i < view.outer; ++i) {
    for (std::int64_t k = 0; k < view.inner; ++k) {
      const auto at = [&](std::int64_t j) -> double& {
        return scores[static_cast<std::size_t>((i * view.length + j) * view.inner + k)];
      };
      double largest = -INFINITY, sum = 0;
      for (std::int64_t j = 0; j < view.length; ++j) largest = std::fmax(largest, at(j));
      for (std::int64_t j = 0; j < view.length; ++j) sum += std::exp(at(j) - largest);
      for (std::int64_t j = 0; j < view.length; ++j) at(j) -= largest + std::log(sum);
    }
  }
}

Status CrossEntropyReference(RefCtx& ctx) {
  const AxisView view = AlongAxis(ctx.In(0).dims(), 1);
  ATH_TRY(std::vector<double> scores, ToDoubles(ctx.In(0)));
  NormaliseScores(scores, view);
  if (ctx.num_outputs() > 1) {
    ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
      using T = typename decltype(tag)::Type;
      const auto y = ctx.OutData<T>(1);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<T>(scores[i]);
      return {};
    }));
  }
  return WriteLoss(ctx, scores, view);
}

Dim LikelihoodCost(const CostCtx& ctx) {
  return ctx.in[1]->HasRank() ? ElementCount(*ctx.in[1]->shape) * Dim(2) : Dim::Unknown();
}
// Five per score as Softmax, and a logarithm.
Dim CrossEntropyCost(const CostCtx& ctx) {
  return ctx.in[0]->HasRank() ? ElementCount(*ctx.in[0]->shape) * Dim(6) : Dim::Unknown();
}

// dscores = (softmax(scores) - onehot(labels)) * dy, over the number of labels for the mean.
Status CrossEntropyGradient(GradientCtx& ctx) {
  const auto attrs = ctx.Attrs<LossAttrs>();
  if (attrs.ignore_index || ctx.num_inputs() > 2 || attrs.reduction == "none") {
    return Unsupported(
        "SoftmaxCrossEntropyLoss is trained without ignore_index, without weights and with "
        "reduction mean or sum");
  }
  const Dims& dims = ctx.InDims(0);
  const AttrMap along_classes = {{"axis", std::int64_t{1}}};
  const ValueId off_on =
      ctx.Op("Concat", {ctx.Reshape(ctx.Number(0), {1}), ctx.Reshape(ctx.Number(1), {1})},
             {{"axis", std::int64_t{0}}});
  const ValueId one_hot =
      ctx.Op("OneHot", {ctx.In(1), ctx.Integers({dims[1]}), off_on}, along_classes);
  ValueId difference = ctx.Op("Sub", {ctx.Op("Softmax", {ctx.In(0)}, along_classes), one_hot});
  if (attrs.reduction == "mean") {
    const auto labels = static_cast<double>(*CheckedCount(ctx.InDims(1)));
    difference = ctx.Op("Mul", {difference, ctx.Number(1 / labels)});
  }
  ctx.Set(0, ctx.Op("Mul", {difference, ctx.DOut()}));
  return {};
}

}  // namespace

OpDef NegativeLogLikelihoodLoss() {
  return {
      .name = "NegativeLogLikelihoodLoss",
      .summary = "Minus the log-probability of each label, weighted and reduced.",
      .inputs = {{"input", "log-probabilities [n, classes, ...]"},
                 {"target", "labels [n, ...], i32 or i64"},
                 {"weight", "[classes]", kOptionalPort}},
      .outputs = {{"loss", "a scalar, or the shape of target without reduction"}},
      .attributes = Describe<LossAttrs>(),
      .infer = InferLoss,
      .reference = LikelihoodReference,
      .flops = LikelihoodCost,
  };
}

OpDef SoftmaxCrossEntropyLoss() {
  return {
      .name = "SoftmaxCrossEntropyLoss",
      .summary = "NegativeLogLikelihoodLoss of LogSoftmax of the scores along the class axis.",
      .inputs = {{"scores", "[n, classes, ...]"},
                 {"labels", "[n, ...], i32 or i64"},
                 {"weights", "[classes]", kOptionalPort}},
      .outputs = {{"output", "a scalar, or the shape of labels without reduction"},
                  {"log_prob", "log-probabilities, same shape as scores", kOptionalPort}},
      .attributes = Describe<LossAttrs>(),
      .infer = InferLoss,
      .reference = CrossEntropyReference,
      .gradient = CrossEntropyGradient,
      .flops = CrossEntropyCost,
  };
}

}  // namespace athanor::ops
