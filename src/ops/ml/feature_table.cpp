#include "ops/ml/feature_table.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace athanor::ops {
namespace {

using FeatureTypes = TypeList<float, double, Half, std::int64_t, std::int32_t>;

double Logistic(double x) {
  const double v = 1 / (1 + std::exp(-std::abs(x)));
  return x < 0 ? 1 - v : v;
}

// Inverse of the cumulative normal distribution through Winitzki's approximation of the inverse
// error function, the formula that ai.onnx.ml engines agree on.
double Probit(double p) {
  const double x = 2 * p - 1;
  const double log = std::log((1 - x) * (1 + x));
  const double v = 2 / (std::numbers::pi * 0.147) + 0.5 * log;
  const double inverse = std::sqrt(std::sqrt(v * v - log / 0.147) - v);
  return std::numbers::sqrt2 * (x < 0 ? -inverse : inverse);
}

void Softmax(std::span<double> scores, bool keep_zeros) {
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) {
    const bool zero = keep_zeros && std::abs(score) <= 1e-7;
    score = zero ? score * std::exp(-top) : std::exp(score - top);
    sum += score;
  }
  for (double& score : scores) score = sum == 0 ? 0.5 : score / sum;
}

}  // namespace

Result<FeatureTable> ReadFeatures(const Tensor& x) {
  if (x.rank() != 1 && x.rank() != 2) {
    return InvalidModel("the features are {}{}; [samples, features] or [features] is expected",
                        Name(x.dtype()), ToString(x.dims()));
  }
  FeatureTable table = {
      .rows = x.rank() == 1 ? 1 : x.dim(0), .columns = x.dim(x.rank() - 1), .values = {}};
  table.values.reserve(static_cast<std::size_t>(x.count()));
  ATH_RETURN_IF_ERROR(Dispatch(FeatureTypes{}, x.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    for (const T& value : x.Data<T>()) {
      if constexpr (std::is_integral_v<T>) {
        table.values.push_back(static_cast<float>(value));
      } else {
        table.values.push_back(static_cast<double>(value));
      }
    }
    return {};
  }));
  return table;
}

Result<FeatureDims> InferFeatures(const InferCtx& ctx) {
  const Type& x = ctx.In(0);
  ATH_RETURN_IF_ERROR(Dispatch(FeatureTypes{}, x.dtype, [](auto) { return Status(); }));
  if (!x.HasRank()) return FeatureDims();
  if (x.rank() == 1) return FeatureDims{1, x.dim(0)};
  if (x.rank() == 2) return FeatureDims{x.dim(0), x.dim(1)};
  return InvalidModel("the features are {}; [samples, features] or [features] is expected",
                      x.ToString());
}

Result<std::vector<double>> NumbersOf(const std::vector<float>& floats,
                                      const std::optional<Tensor>& tensor) {
  if (tensor) return ToDoubles(*tensor);
  return std::vector<double>(floats.begin(), floats.end());
}

Result<PostTransform> PostTransformFromName(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO",
                                                      "PROBIT"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<PostTransform>(i);
  }
  return InvalidModel(
      "post_transform is \"{}\"; NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT is expected",
      name);
}

void Apply(PostTransform transform, std::span<double> scores) {
  if (scores.empty()) return;
  switch (transform) {
    case PostTransform::kNone:
      return;
    case PostTransform::kSoftmax:
      return Softmax(scores, false);
    case PostTransform::kSoftmaxZero:
      return Softmax(scores, true);
    case PostTransform::kLogistic:
      std::transform(scores.begin(), scores.end(), scores.begin(), Logistic);
      return;
    case PostTransform::kProbit:
      std::transform(scores.begin(), scores.end(), scores.begin(), Probit);
      return;
  }
}

Status CheckLabels(const ClassLabels& labels) {
  if (labels.integers.empty() == labels.strings.empty())
    return InvalidModel("class labels are expected as integers or as strings, one of the two");
  return {};
}

void WriteLabel(const ClassLabels& labels, std::size_t index, std::int64_t row, Tensor& output) {
  const auto at = static_cast<std::size_t>(row);
  if (labels.strings.empty()) {
    output.MutableData<std::int64_t>()[at] = labels.integers[index];
  } else {
    output.MutableData<std::string>()[at] = labels.strings[index];
  }
}

}  // namespace athanor::ops
