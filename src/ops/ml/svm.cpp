// SVMRegressor and SVMClassifier.
#include "ops/ml/svm.h"

#include <algorithm>
#include <cmath>

namespace athanor::ops {
namespace {

// kernel(a, b) of libsvm.
class Kernel {
 public:
  static Result<Kernel> Make(const SvmAttrs& attrs) {
    Kernel kernel;
    const std::vector<float>& params = attrs.kernel_params;
    if (!params.empty() && params.size() != 3)
      return InvalidModel("kernel_params has {} values; 3 are expected", params.size());
    if (!params.empty()) {
      kernel.gamma_ = params[0];
      kernel.offset_ = params[1];
      kernel.degree_ = params[2];
    }
    constexpr std::string_view kNames[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const auto at = std::find(std::begin(kNames), std::end(kNames), attrs.kernel_type);
    if (at == std::end(kNames)) {
      return InvalidModel("kernel_type is \"{}\"; LINEAR, POLY, RBF or SIGMOID is expected",
                          attrs.kernel_type);
    }
    kernel.kind_ = static_cast<Kind>(at - std::begin(kNames));
    return kernel;
  }

  double operator()(std::span<const double> a, std::span<const float> b) const {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      sum += kind_ == Kind::kRbf ? (a[i] - b[i]) * (a[i] - b[i]) : a[i] * b[i];
    switch (kind_) {
      case Kind::kLinear:
        return sum;
      case Kind::kPoly:
        return std::pow(gamma_ * sum + offset_, degree_);
      case Kind::kRbf:
        return std::exp(-gamma_ * sum);
      case Kind::kSigmoid:
        return std::tanh(gamma_ * sum + offset_);
    }
    return sum;
  }

 private:
  enum class Kind : std::uint8_t { kLinear, kPoly, kRbf, kSigmoid };
  Kind kind_ = Kind::kLinear;
  double gamma_ = 0, offset_ = 0, degree_ = 0;
};

Status InferRegressor(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<SvmRegressorAttrs>();
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  const Result<Kernel> kernel = Kernel::Make(attrs);
  if (!kernel.ok()) return kernel.status();
  const Result<PostTransform> transform = PostTransformFromName(attrs.post_transform);
  if (!transform.ok()) return transform.status();
  const auto count = static_cast<std::int64_t>(attrs.coefficients.size());
  if (attrs.rho.size() != 1)
    return InvalidModel("rho has {} values; 1 is expected", attrs.rho.size());
  if (attrs.n_supports < 0 || (attrs.n_supports > 0 && attrs.n_supports != count)) {
    return InvalidModel("{} coefficients are given for {} support vectors", count,
                        attrs.n_supports);
  }
  if (dims.columns.IsConst()) {
    const auto given = static_cast<std::int64_t>(attrs.support_vectors.size());
    const bool fits = attrs.n_supports == 0 ? count == dims.columns.value()
                                            : given % attrs.n_supports == 0 &&
                                                  given / attrs.n_supports == dims.columns.value();
    if (!fits) {
      return InvalidModel("{} coefficients and {} support values do not fit {} features", count,
                          given, dims.columns.value());
    }
  }
  ctx.out[0] = Type::Tensor(DType::kF32, {dims.rows, 1});
  return {};
}

Status RegressorReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SvmRegressorAttrs>();
  ATH_TRY(const Kernel kernel, Kernel::Make(attrs));
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  const auto y = ctx.OutData<float>(0);
  const auto columns = static_cast<std::size_t>(table.columns);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::span<const double> x = table.Row(row);
    double score = attrs.rho[0];
    if (attrs.n_supports == 0) score += kernel(x, attrs.coefficients);
    for (std::size_t i = 0; i < static_cast<std::size_t>(attrs.n_supports); ++i)
      score += attrs.coefficients[i] *
               kernel(x, std::span(attrs.support_vectors).subspan(i * columns, columns));
    if (attrs.one_class) score = score > 0 ? 1 : -1;
    Apply(transform, std::span(&score, 1));
    y[static_cast<std::size_t>(row)] = static_cast<float>(score);
  }
  return {};
}

Status CheckAtLeast(const char* name, std::size_t given, std::size_t wanted) {
  if (given >= wanted) return {};
  return InvalidModel("{} has {} values; {} are expected", name, given, wanted);
}

Status CheckVectors(const SvmClassifierAttrs& attrs) {
  std::size_t left = attrs.support_vectors.size();
  for (const std::int64_t count : attrs.vectors_per_class) {
    if (count < 0 || static_cast<std::uint64_t>(count) > left)
      return InvalidModel("vectors_per_class holds {}, but there are {} support values", count,
                          attrs.support_vectors.size());
    left -= static_cast<std::size_t>(count);
  }
  if (attrs.linear()) return CheckAtLeast("rho", attrs.rho.size(), 1);
  const std::size_t classes = attrs.classes();
  if (classes < 2 || classes >= 65536 || attrs.vectors_per_class.size() != classes) {
    return InvalidModel(
        "vectors_per_class has {} values for {} labels; as many, 2 to 65535, are "
        "expected",
        attrs.vectors_per_class.size(), classes);
  }
  ATH_RETURN_IF_ERROR(CheckAtLeast("rho", attrs.rho.size(), attrs.pairs()));
  if (attrs.prob_a.size() != attrs.prob_b.size())
    return InvalidModel("prob_a has {} values, prob_b {}", attrs.prob_a.size(),
                        attrs.prob_b.size());
  if (attrs.probabilities())
    ATH_RETURN_IF_ERROR(CheckAtLeast("prob_a", attrs.prob_a.size(), attrs.pairs()));
  // No overflow: fewer than 2^16 classes, and no more vectors than values in the file.
  return CheckAtLeast("coefficients", attrs.coefficients.size(),
                      (classes - 1) * static_cast<std::size_t>(attrs.vectors()));
}

// The values that form rows of as many columns as x has features.
Status CheckFeatures(const SvmClassifierAttrs& attrs, const Dim& columns) {
  const auto given = static_cast<std::int64_t>(attrs.linear() ? attrs.coefficients.size()
                                                              : attrs.support_vectors.size());
  const std::int64_t rows =
      attrs.linear() ? static_cast<std::int64_t>(attrs.classes()) : attrs.vectors();
  const bool fits =
      given > 0 && given % rows == 0 && (!columns.IsConst() || given / rows == columns.value());
  if (fits) return {};
  return InvalidModel("{} {} in {} rows do not fit {} features", given,
                      attrs.linear() ? "coefficients" : "support values", rows, columns.ToString());
}

Status InferClassifier(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<SvmClassifierAttrs>();
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  const Result<Kernel> kernel = Kernel::Make(attrs);
  if (!kernel.ok()) return kernel.status();
  const Result<PostTransform> transform = PostTransformFromName(attrs.post_transform);
  if (!transform.ok()) return transform.status();
  ATH_RETURN_IF_ERROR(CheckLabels(attrs.Labels()));
  ATH_RETURN_IF_ERROR(CheckVectors(attrs));
  ATH_RETURN_IF_ERROR(CheckFeatures(attrs, dims.columns));
  if (attrs.columns() != attrs.classes() || attrs.linear() || attrs.probabilities() ||
      *transform == PostTransform::kNone) {
    ctx.out[0] = Type::Tensor(attrs.Labels().dtype(), {dims.rows});
    if (ctx.num_outputs() > 1) {
      ctx.out[1] =
          Type::Tensor(DType::kF32, {dims.rows, static_cast<std::int64_t>(attrs.columns())});
    }
    return {};
  }
  return Unsupported(
      "post_transform {} of the one score of two classes is not defined; NONE is accepted",
      attrs.post_transform);
}

// Scores of all pairs of classes, and how many pairs each class has won.
struct Duel {
  std::vector<double> scores = {};
  std::vector<std::int64_t> votes = {};
};

// Row r of the coefficients belongs to the duels with the r-th other class.
Duel Compete(const SvmClassifierAttrs& attrs, const Kernel& kernel, std::span<const double> x) {
  const auto vectors = static_cast<std::size_t>(attrs.vectors());
  std::vector<double> values;
  for (std::size_t i = 0; i < vectors; ++i)
    values.push_back(kernel(x, std::span(attrs.support_vectors).subspan(i * x.size(), x.size())));
  std::vector<std::size_t> first = {0};
  for (const std::int64_t count : attrs.vectors_per_class)
    first.push_back(first.back() + static_cast<std::size_t>(count));
  const auto weigh = [&](std::size_t of, std::size_t row) {
    double sum = 0;
    for (std::size_t i = first[of]; i < first[of + 1]; ++i)
      sum += attrs.coefficients[row * vectors + i] * values[i];
    return sum;
  };
  Duel duel = {.votes = std::vector<std::int64_t>(attrs.classes())};
  for (std::size_t i = 0; i < attrs.classes(); ++i) {
    for (std::size_t j = i + 1; j < attrs.classes(); ++j) {
      const double score = weigh(i, j - 1) + weigh(j, i) + attrs.rho[duel.scores.size()];
      duel.scores.push_back(score);
      ++duel.votes[score > 0 ? i : j];
    }
  }
  return duel;
}

// Class probabilities from those of all pairs: the iteration of Wu, Lin and Weng (2004), second
// method, with libsvm's bounds.
std::vector<double> Couple(const SvmClassifierAttrs& attrs, std::span<const double> scores) {
  const std::size_t n = attrs.classes();
  std::vector<double> pair(n * n), q(n * n), p(n, 1.0 / static_cast<double>(n)), qp(n);
  std::size_t index = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j, ++index) {
      const double logit = scores[index] * attrs.prob_a[index] + attrs.prob_b[index];
      pair[i * n + j] = std::clamp(1 / (1 + std::exp(logit)), 1e-7, 1 - 1e-7);
      pair[j * n + i] = 1 - pair[i * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      q[i * n + i] += pair[j * n + i] * pair[j * n + i];
      q[i * n + j] = -pair[j * n + i] * pair[i * n + j];
    }
  }
  const double enough = 0.005 / static_cast<double>(n);
  for (std::size_t round = 0; round < std::max<std::size_t>(100, n); ++round) {
    double total = 0, error = 0;
    for (std::size_t i = 0; i < n; ++i) {
      qp[i] = 0;
      for (std::size_t j = 0; j < n; ++j) qp[i] += q[i * n + j] * p[j];
      total += p[i] * qp[i];
    }
    for (const double value : qp) error = std::max(error, std::fabs(value - total));
    if (error < enough) break;
    for (std::size_t i = 0; i < n; ++i) {
      const double step = (total - qp[i]) / q[i * n + i];
      p[i] += step;
      total = (total + step * (step * q[i * n + i] + 2 * qp[i])) / (1 + step) / (1 + step);
      for (std::size_t j = 0; j < n; ++j) {
        qp[j] = (qp[j] + step * q[i * n + j]) / (1 + step);
        p[j] /= 1 + step;
      }
    }
  }
  return p;
}

std::size_t Best(const auto& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

// The label of a linear model. Of two classes the second wins by a positive score of either, or by
// 0.5 where no coefficient is negative: ONNX Runtime's rule.
std::size_t LinearLabel(const SvmClassifierAttrs& attrs, std::span<const double> scores) {
  const std::size_t best = Best(scores);
  if (scores.size() != 2 || !attrs.prob_a.empty()) return best;
  const bool positive = std::all_of(attrs.coefficients.begin(), attrs.coefficients.end(),
                                    [](float value) { return value >= 0; });
  return (positive ? scores[best] >= 0.5 : scores[best] > 0) ? 1 : best;
}

Status ClassifierReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SvmClassifierAttrs>();
  ATH_TRY(const Kernel kernel, Kernel::Make(attrs));
  ATH_TRY(const Kernel dot, Kernel::Make(SvmAttrs()));
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  ATH_RETURN_IF_ERROR(CheckFeatures(attrs, table.columns));
  const auto features = static_cast<std::size_t>(table.columns);
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const std::span<const double> x = table.Row(row);
    std::vector<double> scores;
    std::size_t label = 0;
    if (attrs.linear()) {
      for (std::size_t i = 0; i < attrs.classes(); ++i)
        scores.push_back(attrs.rho[0] +
                         dot(x, std::span(attrs.coefficients).subspan(i * features, features)));
      label = LinearLabel(attrs, scores);
    } else {
      Duel duel = Compete(attrs, kernel, x);
      label = Best(duel.votes);
      scores = attrs.probabilities() ? Couple(attrs, duel.scores) : std::move(duel.scores);
      if (scores.size() == 1) scores = {-scores[0], scores[0]};
    }
    Apply(transform, scores);
    WriteLabel(attrs.Labels(), label, row, ctx.Out(0));
    if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor()) {
      std::copy(scores.begin(), scores.end(),
                ctx.OutData<float>(1).begin() + row * static_cast<std::ptrdiff_t>(scores.size()));
    }
  }
  return {};
}

}  // namespace

OpDef SVMClassifier() {
  return {
      .name = "SVMClassifier",
      .summary =
          "The class that wins most comparisons of two classes, each a sum of kernel values "
          "between "
          "a sample and support vectors; or a linear model. Scores are those of the comparisons, "
          "or probabilities of the classes where prob_a and prob_b are given.",
      .inputs = {{"x", "[samples, features], or one sample"}},
      .outputs =
          {{"label", "[samples], i64 or string"},
           {"scores",
            "f32[samples, pairs of classes], or [samples, classes] for two classes, a linear "
            "model or probabilities",
            kOptionalPort}},
      .attributes = Describe<SvmClassifierAttrs>(),
      .infer = InferClassifier,
      .reference = ClassifierReference,
  };
}

OpDef SVMRegressor() {
  return {
      .name = "SVMRegressor",
      .summary =
          "Sum of kernel values between a sample and the support vectors, plus rho; or a linear "
          "model.",
      .inputs = {{"x", "[samples, features], or one sample"}},
      .outputs = {{"y", "f32[samples, 1]"}},
      .attributes = Describe<SvmRegressorAttrs>(),
      .infer = InferRegressor,
      .reference = RegressorReference,
  };
}

}  // namespace athanor::ops
