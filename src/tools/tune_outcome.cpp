#include "tools/tune_outcome.h"

#include <algorithm>
#include <map>

namespace athanor::tools {
namespace {

using Choice = StepNotes::Choice;

// The candidate that estimates alone would have taken.
const Choice& FirstGuess(const std::vector<Choice>& choices) {
  return *std::min_element(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    if (a.fits != b.fits) return a.fits;
    return a.cost_ns + a.price_ns < b.cost_ns + b.price_ns;
  });
}

// The kernel of the other plan's step that gives the same value: plans may differ in their
// reorders, and so in the numbers of their steps.
class OtherKernels {
 public:
  explicit OtherKernels(const Plan* plan) {
    if (plan == nullptr) return;
    for (const Step& step : plan->steps) {
      if (step.kernel != nullptr) kernels_[NameOf(*plan, step)] = step.kernel->name;
    }
  }
  // Nothing when it is not among the candidates, or there is no other plan.
  const Choice* Find(const Plan& plan, const Step& step) const {
    const auto found = kernels_.find(NameOf(plan, step));
    if (found == kernels_.end()) return nullptr;
    const auto& choices = step.notes.choices;
    const auto same = std::find_if(choices.begin(), choices.end(), [&](const Choice& choice) {
      return choice.kernel == found->second;
    });
    return same == choices.end() ? nullptr : &*same;
  }

 private:
  static std::string NameOf(const Plan& plan, const Step& step) {
    const Node& last = plan.graph.node(step.nodes.back());
    return last.outputs.empty() || last.outputs[0] == kNoValue
               ? last.name
               : plan.graph.value(last.outputs[0]).name;
  }
  std::map<std::string, std::string> kernels_;
};

}  // namespace

TuneOutcome OutcomeOf(const Plan& plan, const Plan* other) {
  const OtherKernels kernels(other);
  TuneOutcome outcome;
  for (const Step& step : plan.steps) {
    const auto& choices = step.notes.choices;
    outcome.open += step.notes.open ? 1 : 0;
    if (choices.empty() || choices[0].measured_ns == 0) continue;
    const Choice& best = choices[0];
    const Choice* known = other == nullptr ? &FirstGuess(choices) : kernels.Find(plan, step);
    const Choice& before = known == nullptr ? best : *known;
    ++outcome.measured;
    outcome.chosen_ns += best.measured_ns;
    outcome.before_ns += before.measured_ns > 0 ? before.measured_ns : best.measured_ns;
    if (before.kernel == best.kernel) continue;
    ++outcome.changed;
    outcome.changes.push_back({&step, &before, &best});
  }
  return outcome;
}

}  // namespace athanor::tools
