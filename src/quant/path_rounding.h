// Rounds a row of weights to integers that are near and take few bits: the cheapest of all paths
// through a trellis (core/trellis.h), found as Viterbi does, where a weight costs its error and,
// times a price, the bits that an entropy code needs for it. Zero is what takes fewest, so that
// weights that hardly matter become zero. Without a trellis there is one state and any integer.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/rounding.h"

namespace athanor::quant {

// The bits that indices take, by their magnitude.
class IndexBits {
 public:
  // `counts[m]`: how many have the magnitude m.
  explicit IndexBits(std::span<const std::uint64_t> counts);
  double Of(int index) const {
    const auto magnitude = static_cast<std::size_t>(index < 0 ? -index : index);
    return bits_[magnitude < bits_.size() ? magnitude : bits_.size() - 1];
  }

 private:
  std::vector<double> bits_;
};

struct PathOptions {
  bool trellis = false;
  bool make_up = false;  // later weights of the row make up for earlier ones
  double price = 0;      // of a bit, in units of the error
  double step = 1;       // of the integers
};

// Fills `integers`, each in [-127, 127]; returns the error, were each weight's alone.
double RoundAlongPath(const RowRounding& rounding, std::span<const double> row,
                      const PathOptions& options, const IndexBits& bits,
                      std::span<std::int8_t> integers);

}  // namespace athanor::quant
