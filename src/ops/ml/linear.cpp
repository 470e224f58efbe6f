// LinearClassifier and LinearRegressor.
#include <algorithm>

#include "ops/ml/feature_table.h"

namespace athanor::ops {
namespace {

struct RegressorAttrs {
  std::vector<float> coefficients, intercepts;
  std::string post_transform = "NONE";
  std::int64_t targets = 1;
  template <class V>
  void Visit(V& v) {
    v("coefficients", coefficients, "[targets, features], row by row", kRequired);
    v("intercepts", intercepts, "one per target; 0 when absent");
    v("post_transform", post_transform, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
    v("targets", targets, "values per sample");
  }
};

struct ClassifierAttrs {
  std::vector<float> coefficients, intercepts;
  std::vector<std::int64_t> classlabels_ints;
  std::vector<std::string> classlabels_strings;
  std::string post_transform = "NONE";
  std::int64_t multi_class = 0;
  template <class V>
  void Visit(V& v) {
    v("coefficients", coefficients, "[scores, features], row by row", kRequired);
    v("intercepts", intercepts, "one per score; their number is the number of scores");
    v("classlabels_ints", classlabels_ints, "labels, where they are integers");
    v("classlabels_strings", classlabels_strings, "labels, where they are strings");
    v("post_transform", post_transform, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
    v("multi_class", multi_class, "how the model was trained; not used");
  }
  ClassLabels Labels() const { return {classlabels_ints, classlabels_strings}; }
};

// What a classifier computes: scores, or one score when two labels share it.
std::int64_t ScoresOf(const ClassifierAttrs& attrs) {
  if (!attrs.intercepts.empty()) return static_cast<std::int64_t>(attrs.intercepts.size());
  return static_cast<std::int64_t>(std::max<std::size_t>(attrs.Labels().size(), 1));
}

// Coefficients form `rows` rows of as many columns as there are features.
Status CheckCoefficients(const std::vector<float>& coefficients,
                         const std::vector<float>& intercepts, std::int64_t rows,
                         const FeatureDims& dims) {
  const auto count = static_cast<std::int64_t>(coefficients.size());
  if (rows < 1 || count < rows || count % rows != 0)
    return InvalidModel("{} coefficients do not form {} rows", count, rows);
  if (!intercepts.empty() && static_cast<std::int64_t>(intercepts.size()) != rows)
    return InvalidModel("{} intercepts are given; {} are expected", intercepts.size(), rows);
  if (dims.columns.IsConst() && dims.columns.value() != count / rows) {
    return InvalidModel("x has {} features, the coefficients {}", dims.columns.value(),
                        count / rows);
  }
  return {};
}

void Multiply(std::span<const double> x, const std::vector<float>& coefficients,
              const std::vector<float>& intercepts, std::span<double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double sum = intercepts.empty() ? 0.0 : intercepts[i];
    for (std::size_t j = 0; j < x.size(); ++j) sum += x[j] * coefficients[i * x.size() + j];
    scores[i] = sum;
  }
}

Status InferRegressor(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<RegressorAttrs>();
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  ATH_RETURN_IF_ERROR(CheckCoefficients(attrs.coefficients, attrs.intercepts, attrs.targets, dims));
  const Result<PostTransform> transform = PostTransformFromName(attrs.post_transform);
  ctx.out[0] = Type::Tensor(DType::kF32, {dims.rows, attrs.targets});
  return transform.status();
}

Status RegressorReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<RegressorAttrs>();
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  std::vector<double> scores(static_cast<std::size_t>(attrs.targets));
  const auto y = ctx.OutData<float>(0);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    Multiply(table.Row(row), attrs.coefficients, attrs.intercepts, scores);
    Apply(transform, scores);
    std::copy(scores.begin(), scores.end(),
              y.begin() + static_cast<std::ptrdiff_t>(row * attrs.targets));
  }
  return {};
}

Status InferClassifier(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ClassifierAttrs>();
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  ATH_RETURN_IF_ERROR(CheckLabels(attrs.Labels()));
  const std::int64_t scores = ScoresOf(attrs);
  ATH_RETURN_IF_ERROR(CheckCoefficients(attrs.coefficients, attrs.intercepts, scores, dims));
  const auto labels = static_cast<std::int64_t>(attrs.Labels().size());
  if (labels != scores && !(labels == 2 && scores == 1)) {
    return InvalidModel("{} labels are given for {} scores; as many, or two for one, are expected",
                        labels, scores);
  }
  const Result<PostTransform> transform = PostTransformFromName(attrs.post_transform);
  ctx.out[0] = Type::Tensor(attrs.Labels().dtype(), {dims.rows});
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(DType::kF32, {dims.rows, labels});
  return transform.status();
}

Status ClassifierReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ClassifierAttrs>();
  const ClassLabels labels = attrs.Labels();
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  std::vector<double> scores;
  for (std::int64_t row = 0; row < table.rows; ++row) {
    scores.resize(static_cast<std::size_t>(ScoresOf(attrs)));
    Multiply(table.Row(row), attrs.coefficients, attrs.intercepts, scores);
    // One score for two labels is that of the second.
    if (scores.size() == 1 && labels.size() == 2) scores = {-scores[0], scores[0]};
    const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
    Apply(transform, scores);
    WriteLabel(labels, static_cast<std::size_t>(best), row, ctx.Out(0));
    if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor()) {
      std::copy(scores.begin(), scores.end(),
                ctx.OutData<float>(1).begin() +
                    static_cast<std::ptrdiff_t>(static_cast<std::size_t>(row) * scores.size()));
    }
  }
  return {};
}

}  // namespace

OpDef LinearClassifier() {
  return {
      .name = "LinearClassifier",
      .summary =
          "Scores x * coefficients + intercepts and the label of the best. One score s for two "
          "labels becomes [-s, s].",
      .inputs = {{"x", "[samples, features], or one sample"}},
      .outputs = {{"label", "[samples], i64 or string"},
                  {"scores", "f32[samples, classes]", kOptionalPort}},
      .attributes = Describe<ClassifierAttrs>(),
      .infer = InferClassifier,
      .reference = ClassifierReference,
  };
}

OpDef LinearRegressor() {
  return {
      .name = "LinearRegressor",
      .summary = "x * coefficients + intercepts.",
      .inputs = {{"x", "[samples, features], or one sample"}},
      .outputs = {{"y", "f32[samples, targets]"}},
      .attributes = Describe<RegressorAttrs>(),
      .infer = InferRegressor,
      .reference = RegressorReference,
  };
}

}  // namespace athanor::ops
