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

}  // namespace athanor::quant
