// Do two forms of one model give the same answers?
#pragma once

#include <string>
#include <vector>

#include "runtime/session.h"
#include "verify/compare.h"
#include "verify/layout.h"

namespace athanor {

struct NamedDatum {
  std::string name = {};
  Datum datum = {};
};

// One input or output that a model takes or gives as integers, and the other as real numbers.
struct ScaleChange {
  std::string name;
  std::string how;  // "u8 128 is 0, a step is 0.0078125"
};

struct OutputDifference {
  std::string name;  // of the first model's output
  Difference difference;
};

struct Parity {
  std::vector<OutputDifference> outputs;
  bool pass = true;
  std::string reason;  // of the first output that differs
  // Where one model has channels first and the other last: what was done to `actual`'s inputs, and
  // to its outputs before they were compared.
  std::vector<LayoutChange> inputs, results;
  // The same where one model has integers with a scale and the other real numbers: results are
  // compared as real numbers.
  std::vector<ScaleChange> scaled_inputs, scaled_results;
  // Objects of a detector whose scores are tied, that `actual` gave in another order: compared
  // object by object.
  std::size_t exchanged = 0;
  // What both gave, in the order of `outputs`.
  std::vector<Datum> expected, actual;
};

// For each name on the left the position of the same name on the right; names that are missing
// there are paired with the unused positions in order. Fails when the counts differ.
Result<std::vector<std::size_t>> MatchByName(const std::vector<std::string>& left,
                                             const std::vector<std::string>& right,
                                             std::string_view what);

// The same for outputs that are at hand: those without a namesake go to the first unused one of the
// same sizes, in any order of axes, and only then by position.
Result<std::vector<std::size_t>> MatchOutputs(const std::vector<NamedDatum>& left,
                                              const std::vector<NamedDatum>& right);

struct MatchedInputs {
  std::vector<Datum> values;
  std::vector<LayoutChange> changes;
  std::vector<ScaleChange> scaled;
};

// Inputs of `of` as `graph` takes them: in its order, with the axes in its order where its type
// asks for channels first and they are last, or the other way round; and as integers where it is
// quantised and the other is not, or the other way round.
Result<MatchedInputs> MatchInputs(const Graph& graph, const Graph& of,
                                  const std::vector<Datum>& inputs);

// Runs both on `inputs` (in the order of `expected`) and compares; `expected` is the measure.
Result<Parity> CheckParity(Session& actual, Session& expected, std::vector<Datum> inputs,
                           const Tolerance& tolerance);

}  // namespace athanor
