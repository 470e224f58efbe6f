// SVMRegressor.
#include <algorithm>
#include <cmath>

#include "ops/ml/feature_table.h"

namespace athanor::ops {
namespace {

struct SvmAttrs {
  std::string kernel_type = "LINEAR";
  std::string post_transform = "NONE";
  std::vector<float> kernel_params, coefficients, support_vectors, rho;
  template <class V>
  void Visit(V& v) {
    v("kernel_type", kernel_type, "LINEAR, POLY, RBF or SIGMOID");
    v("kernel_params", kernel_params, "gamma, coef0, degree");
    v("coefficients", coefficients, "of the support vectors, or of the features without any");
    v("support_vectors", support_vectors, "[vectors, features], row by row");
    v("rho", rho, "added to each sum");
    v("post_transform", post_transform, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
  }
};

struct RegressorAttrs : SvmAttrs {
  std::int64_t n_supports = 0;
  bool one_class = false;
  template <class V>
  void Visit(V& v) {
    SvmAttrs::Visit(v);
    v("n_supports", n_supports, "number of support vectors; 0: a linear model");
    v("one_class", one_class, "1: y is 1 for samples inside, -1 for those outside");
  }
};

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
  const auto attrs = ctx.Attrs<RegressorAttrs>();
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
  const auto attrs = ctx.Attrs<RegressorAttrs>();
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

}  // namespace

OpDef SVMRegressor() {
  return {
      .name = "SVMRegressor",
      .summary =
          "Sum of kernel values between a sample and the support vectors, plus rho; or a linear "
          "model.",
      .inputs = {{"x", "[samples, features], or one sample"}},
      .outputs = {{"y", "f32[samples, 1]"}},
      .attributes = Describe<RegressorAttrs>(),
      .infer = InferRegressor,
      .reference = RegressorReference,
  };
}

}  // namespace athanor::ops
