// How long each step of a plan takes, for `profile` and the workbench.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "plan/plan.h"
#include "runtime/session.h"

namespace athanor::tools {

struct StepTimes {
  std::shared_ptr<const Plan> plan;
  std::vector<double> ms;                 // of each step, the fastest run
  std::vector<std::vector<double>> runs;  // of each run, of each step
};

// Runs once to warm up and then `runs` times, each followed by `after_run`. For a device that
// plans.
Result<StepTimes> MeasureSteps(
    Session& session, const std::vector<Datum>& inputs, int runs,
    const std::function<void()>& after_run = [] {});

}  // namespace athanor::tools
