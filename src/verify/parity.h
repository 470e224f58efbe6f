// Do two forms of one model give the same answers?
#pragma once

#include <string>
#include <vector>

#include "runtime/session.h"
#include "verify/compare.h"

namespace athanor {

struct OutputDifference {
  std::string name;  // of the first model's output
  Difference difference;
};

struct Parity {
  std::vector<OutputDifference> outputs;
  bool pass = true;
  std::string reason;  // of the first output that differs
};

// For each name on the left the position of the same name on the right; names that are missing
// there are paired with the unused positions in order. Fails when the counts differ.
Result<std::vector<std::size_t>> MatchByName(const std::vector<std::string>& left,
                                             const std::vector<std::string>& right,
                                             std::string_view what);

// Runs both on `inputs` (in the order of `expected`) and compares; `expected` is the measure.
Result<Parity> CheckParity(Session& actual, Session& expected, std::vector<Datum> inputs,
                           const Tolerance& tolerance);

}  // namespace athanor
