// A plan's steps as people and programs see them, for `explain` and `profile`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "plan/plan.h"

namespace athanor::tools {

struct StepText {
  std::string op;      // "Conv + Relu": every node the step covers
  std::string node;    // the name of the first
  std::string kernel;  // "reference" when no kernel fits
  std::string output;  // type of the first output
  bool on_reference = false;
};

StepText Describe(const Plan& plan, const Step& step);
// The same with its figures and every candidate kernel, in every layout: the time it is estimated
// to take and was measured to, or why it is not taken.
nlohmann::json StepJson(const Plan& plan, const Step& step);

}  // namespace athanor::tools
