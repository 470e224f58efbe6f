#include "quant/histogram.h"

#include <algorithm>

namespace athanor::quant {

Histogram::Histogram(Range range)
    : range_(range), width_((static_cast<double>(range.high) - range.low) / kBins) {
  if (width_ > 0) counts_.assign(kBins, 0);
}

void Histogram::Add(std::span<const float> values) {
  if (counts_.empty()) return;
  for (const float value : values) {
    const auto bin = static_cast<std::int64_t>((static_cast<double>(value) - range_.low) / width_);
    ++counts_[static_cast<std::size_t>(std::clamp<std::int64_t>(bin, 0, kBins - 1))];
  }
}

double Histogram::Middle(std::size_t bin) const {
  return range_.low + (static_cast<double>(bin) + 0.5) * width_;
}

double Histogram::Error(Range range) const {
  const double step = (static_cast<double>(range.high) - range.low) / 255;
  double error = 0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    if (counts_[bin] == 0) continue;
    const double at = Middle(bin);
    const double beyond = std::max({0.0, range.low - at, at - range.high});
    error += static_cast<double>(counts_[bin]) * (beyond > 0 ? beyond * beyond : step * step / 12);
  }
  return error;
}

Range Histogram::BestForBytes() const {
  if (counts_.empty()) return range_;
  constexpr int kSteps = 128;
  const Range whole = {std::min(range_.low, 0.0F), std::max(range_.high, 0.0F)};
  Range best = whole;
  double least = Error(whole);
  for (int i = kSteps - 1; i >= kSteps / 8; --i) {
    const float share = static_cast<float>(i) / kSteps;
    const Range part = {whole.low * share, whole.high * share};
    const double error = Error(part);
    if (error >= least) continue;
    least = error;
    best = part;
  }
  return best;
}

}  // namespace athanor::quant
