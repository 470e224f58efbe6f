// What measuring the kernels of a plan changed, for `tune` and the advice of `profile`.
#pragma once

#include "plan/plan.h"

namespace athanor::tools {

struct TuneOutcome {
  // A step whose best kernel is not the one that would have been taken.
  struct Change {
    const Step* step = nullptr;
    const StepNotes::Choice *before = nullptr, *best = nullptr;
  };
  double before_ns = 0, chosen_ns = 0;  // of all steps that were measured
  int measured = 0, changed = 0;        // steps whose kernel has a time; that got another kernel
  int open = 0;                         // steps for some of whose kernels there was no time left
  std::vector<Change> changes;
};

// Against what estimates alone would have taken, or against the kernels of another plan of the
// same steps.
TuneOutcome OutcomeOf(const Plan& plan, const Plan* other = nullptr);

}  // namespace athanor::tools
