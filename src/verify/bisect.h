// Where two runs part: the first node whose inputs agree and whose output does not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "verify/align.h"
#include "verify/compare.h"

namespace athanor {

struct BisectOptions {
  // A value differs when |a - b| / |a| (L2 over all elements, `a` is the measure) exceeds `rel_l2`
  // and some element is off by more than `atol`; or where one is finite and the other is not.
  double rel_l2 = 1e-4;
  double atol = 1e-6;
  bool by_name = true;  // else values belong together by position only
};

// How far `actual` is from `expected`, whatever their float types and order of axes.
struct ValueError {
  double rel_l2 = 0;  // infinite where they cannot be compared, or one is not finite
  double max_abs = 0;
  bool differs = false;
  std::string reason;  // why they cannot be compared; or the first element that is off
  std::string layout;  // "channels last -> first": what was done to `actual`; "" for nothing
};
ValueError ErrorOf(const Datum& actual, const Datum& expected, const BisectOptions& options);

struct ValuePair {
  std::size_t a = 0, b = 0;  // in the traces
  bool by_name = false;
  ValueError error;
};

// One input of a node that differs: a value before it, an input of the model, or a constant.
struct SuspectInput {
  std::string name, port, type;
  bool constant = false;
  // Nothing: the other model has no counterpart, or it is an input of both.
  std::optional<ValueError> error = {};
};

// A node whose inputs agree and whose output does not, and which reaches an output that differs.
struct Suspect {
  std::size_t pair = 0;  // in Bisection::pairs
  std::string op;        // of the second model; several nodes where some have no counterpart
  std::vector<SuspectInput> inputs;
};

struct OutputError {
  std::string name;  // of the first model
  ValueError error;
};

struct Bisection {
  std::vector<ValuePair> pairs;      // in order of the second run; of the first beside a recording
  std::vector<OutputError> outputs;  // of the models
  std::vector<Suspect> suspects;     // in order of the second run: the first is the one looked for
  std::size_t only_a = 0, only_b = 0;  // values without counterpart
  bool differs() const;
};

// `a` is the measure. Both ran on the same inputs. Fails when the numbers of outputs differ; a
// recording (no outputs of its own) is compared by its values.
Result<Bisection> Bisect(const Trace& a, const Trace& b, const BisectOptions& options);

}  // namespace athanor
