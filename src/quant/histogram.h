// How often values fall where.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace athanor::quant {

struct Range {
  float low = 0, high = 0;
  bool symmetric = false;  // integers reach as far to both sides of 0, see ScaleFor
};

class Histogram {
 public:
  static constexpr std::size_t kBins = 2048;

  Histogram() = default;
  // All values that are added lie in the range.
  explicit Histogram(Range range);
  void Add(std::span<const float> values);

  // No bins when the range is a point.
  const std::vector<std::int64_t>& counts() const { return counts_; }
  Range range() const { return range_; }
  double width() const { return width_; }  // of a bin
  double Middle(std::size_t bin) const {
    return range_.low + (static_cast<double>(bin) + 0.5) * width_;
  }

 private:
  Range range_;
  double width_ = 0;
  std::vector<std::int64_t> counts_ = {};
};

}  // namespace athanor::quant
