#include "quant/weights.h"

#include <algorithm>
#include <cmath>

namespace athanor::quant {
namespace {

// Weights smaller than this are as good as nothing.
constexpr float kNoWeight = 1e-30F;

// How much of the range to the largest weight is kept, in steps of 1/64.
constexpr int kShares = 64, kLeastShare = 24;

double ErrorOf(const Tensor& w, const WeightMatrix& matrix, std::size_t row, float scale,
               float most) {
  const std::span<const float> data = w.Data<float>();
  double error = 0;
  for (std::size_t k = 0; k < matrix.columns(); ++k) {
    const float value = data[matrix.At(row, k)];
    const float q = std::clamp(std::nearbyint(value / scale), -most, most);
    const double away = static_cast<double>(value) - static_cast<double>(q) * scale;
    error += away * away;
  }
  return error;
}

}  // namespace

WeightMatrix::WeightMatrix(const Tensor& w, const Candidate& c, std::size_t channels) {
  const bool conv = w.rank() > 2;
  rows_ = static_cast<std::size_t>(w.dim(c.weight_axis));
  columns_ = rows_ == 0 ? 0 : static_cast<std::size_t>(w.count()) / rows_;
  inputs_ = static_cast<std::size_t>(w.dim(conv ? 1 : 1 - c.weight_axis));
  kernel_ = std::max<std::size_t>(1, inputs_ == 0 ? 1 : columns_ / inputs_);
  row_stride_ = c.weight_axis == 0 ? columns_ : 1;
  column_stride_ = c.weight_axis == 0 ? 1 : rows_;
  const std::size_t groups =
      channels == 0 || inputs_ == 0 ? 1 : std::max<std::size_t>(1, channels / inputs_);
  rows_per_group_ = std::max<std::size_t>(1, rows_ / groups);
}

Result<IntWeights> ScaleWeights(const Tensor& w, const WeightMatrix& matrix, const WeightForm& form,
                                const std::vector<float>& least) {
  const std::span<const float> data = w.Data<float>();
  const auto most = static_cast<float>(MostOf(form.bits));
  std::vector<float> largest(matrix.rows(), 0.0F);
  IntWeights result;
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      const float value = data[matrix.At(row, k)];
      if (!std::isfinite(value)) return DataError("a weight is not finite");
      largest[row] = std::max(largest[row], std::abs(value));
    }
    if (largest[row] < kNoWeight) result.dead.push_back(row);
  }
  if (form.per_tensor && !largest.empty())
    std::fill(largest.begin(), largest.end(), *std::max_element(largest.begin(), largest.end()));
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    float scale = largest[row] < kNoWeight ? 1.0F : largest[row] / most;
    if (form.bits < 8 && !form.per_tensor && largest[row] >= kNoWeight) {
      const float whole = scale;
      double smallest = ErrorOf(w, matrix, row, whole, most);
      for (int share = kShares - 1; share >= kLeastShare; --share) {
        const float part = whole * static_cast<float>(share) / kShares;
        const double error = ErrorOf(w, matrix, row, part, most);
        if (error >= smallest) continue;
        smallest = error;
        scale = part;
      }
    }
    result.scales.push_back(std::max(scale, row < least.size() ? least[row] : 0.0F));
  }
  ATH_TRY(result.values, Tensor::Allocate(DType::kI8, w.dims()));
  return result;
}

void RoundWeights(const Tensor& w, const WeightMatrix& matrix, int bits, IntWeights& weights) {
  const auto most = static_cast<float>(MostOf(bits));
  const std::span<const float> data = w.Data<float>();
  const std::span<std::int8_t> out = weights.values.MutableData<std::int8_t>();
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      const std::size_t at = matrix.At(row, k);
      const float q = std::nearbyint(data[at] / weights.scales[row]);
      out[at] = static_cast<std::int8_t>(std::clamp(q, -most, most));
    }
  }
}

}  // namespace athanor::quant
