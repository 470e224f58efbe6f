// Which value of one run is which of another: of two formats of one model, two devices, two
// precisions.
#pragma once

#include <cstdint>
#include <vector>

#include "verify/trace.h"

namespace athanor {

struct AlignedPair {
  std::size_t a = 0, b = 0;  // indices in Trace::values
  bool by_name = false;      // else by position
};

struct AlignOptions {
  bool by_name = true;
  // Pairs that are known beforehand, such as the graphs' outputs; each value in one at most.
  std::vector<AlignedPair> known = {};
};

// Values of the same name and size belong together. The others are put beside each other in order
// (Needleman and Wunsch 1970), where the sizes agree up to the order of axes: rather those that
// hold about the same numbers, then those of the same operator. In the order of `b`; a value is in
// one pair at most. Takes the product of both lengths in time; above 4000 values on either side
// only names count.
std::vector<AlignedPair> Align(const Trace& a, const Trace& b, const AlignOptions& options);

}  // namespace athanor
