// How often values fall where, and the range in which 8 bits lose least.
#pragma once

#include <span>
#include <vector>

#include "quant/ranges.h"

namespace athanor::quant {

class Histogram {
 public:
  Histogram() = default;
  // All values that are added lie in the range.
  explicit Histogram(Range range);
  void Add(std::span<const float> values);
  // The part of the range, both ends drawn in by the same share, that minimises
  // the square error of u8: half a step for what is inside, the distance to the
  // end for what is outside.
  Range BestForBytes() const;

 private:
  static constexpr std::size_t kBins = 2048;
  double Middle(std::size_t bin) const;
  double Error(Range range) const;

  Range range_;
  double width_ = 0;  // of a bin
  std::vector<std::int64_t> counts_ = {};
};

}  // namespace athanor::quant
