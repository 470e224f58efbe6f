#include "quant/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

constexpr int kLeastByte = std::numeric_limits<std::int8_t>::min();
constexpr int kMostByte = std::numeric_limits<std::int8_t>::max();

// The ends of a row's weights, widened to hold 0.
struct Ends {
  float low = 0, high = 0;
};

Result<IntWeights> ScaleWithZeros(const Tensor& w, const WeightMatrix& matrix,
                                  const WeightForm& form, const std::vector<float>& least) {
  ATH_CHECK(form.bits == 8, "only bytes have zero points");
  const std::span<const float> data = w.Data<float>();
  std::vector<Ends> ends(matrix.rows());
  IntWeights result;
  Ends all;
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      const float value = data[matrix.At(row, k)];
      if (!std::isfinite(value)) return DataError("a weight is not finite");
      ends[row] = {std::min(ends[row].low, value), std::max(ends[row].high, value)};
    }
    if (std::max(-ends[row].low, ends[row].high) < kNoWeight) result.dead.push_back(row);
    all = {std::min(all.low, ends[row].low), std::max(all.high, ends[row].high)};
  }
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    const Ends of = form.per_tensor ? all : ends[row];
    // In double: the difference of two floats may be none.
    const double width = static_cast<double>(of.high) - of.low;
    float scale = width < kNoWeight ? 1.0F : static_cast<float>(width / (kMostByte - kLeastByte));
    scale = std::max(scale, row < least.size() ? least[row] : 0.0F);
    // 0 is one of the integers, exactly. Where nothing is, it is 0.
    const double zero = width < kNoWeight ? 0 : kLeastByte + std::nearbyint(-of.low / scale);
    result.scales.push_back(scale);
    result.zeros.push_back(
        static_cast<std::int8_t>(std::clamp<double>(zero, kLeastByte, kMostByte)));
  }
  ATH_TRY(result.values, Tensor::Allocate(DType::kI8, w.dims()));
  return result;
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
  if (form.asymmetric) return ScaleWithZeros(w, matrix, form, least);
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

StepLimits StepLimitsOf(const IntWeights& weights, std::size_t row, int bits) {
  if (weights.zeros.empty()) return {-MostOf(bits), MostOf(bits)};
  return {kLeastByte - weights.zeros[row], kMostByte - weights.zeros[row]};
}

void RoundWeights(const Tensor& w, const WeightMatrix& matrix, int bits, IntWeights& weights) {
  const std::span<const float> data = w.Data<float>();
  const std::span<std::int8_t> out = weights.values.MutableData<std::int8_t>();
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    const StepLimits limits = StepLimitsOf(weights, row, bits);
    const auto low = static_cast<float>(limits.least), high = static_cast<float>(limits.most);
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      const std::size_t at = matrix.At(row, k);
      const float steps = std::nearbyint(data[at] / weights.scales[row]);
      const int q = static_cast<int>(std::clamp(steps, low, high)) + weights.ZeroOf(row);
      out[at] = static_cast<std::int8_t>(q);
    }
  }
}

}  // namespace athanor::quant
