// What classical models share: a table of samples and features, and the transforms of scores.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "ir/op_def.h"

namespace athanor::ops {

// Input 0 of a classical model: [samples, features], or [features] for one sample.
struct FeatureTable {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::vector<double> values = {};  // integers rounded to f32, the type of the models' constants
  std::span<const double> Row(std::int64_t row) const {
    return std::span(values).subspan(static_cast<std::size_t>(row * columns),
                                     static_cast<std::size_t>(columns));
  }
};
Result<FeatureTable> ReadFeatures(const Tensor& x);

// The same for types: number of samples and features; unknown where nothing is known.
struct FeatureDims {
  Dim rows, columns;
};
Result<FeatureDims> InferFeatures(const InferCtx& ctx);

// A list of numbers that a model gives as f32s or, for more bits, as a tensor.
Result<std::vector<double>> NumbersOf(const std::vector<float>& floats,
                                      const std::optional<Tensor>& tensor);

enum class PostTransform : std::uint8_t { kNone, kSoftmax, kLogistic, kSoftmaxZero, kProbit };
// "NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO" or "PROBIT".
Result<PostTransform> PostTransformFromName(std::string_view name);
// In place, on the scores of one sample.
void Apply(PostTransform transform, std::span<double> scores);

// Class labels are integers or strings; one of the lists is empty.
struct ClassLabels {
  const std::vector<std::int64_t>& integers;
  const std::vector<std::string>& strings;
  DType dtype() const { return strings.empty() ? DType::kI64 : DType::kString; }
  std::size_t size() const { return strings.empty() ? integers.size() : strings.size(); }
};
Status CheckLabels(const ClassLabels& labels);
// Writes the label of class `index` to element `row` of the output.
void WriteLabel(const ClassLabels& labels, std::size_t index, std::int64_t row, Tensor& output);

}  // namespace athanor::ops
