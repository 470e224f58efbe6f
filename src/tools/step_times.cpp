#include "tools/step_times.h"

#include <algorithm>
#include <chrono>

namespace athanor::tools {

Result<StepTimes> MeasureSteps(Session& session, const std::vector<Datum>& inputs, int runs,
                               const std::function<void()>& after_run) {
  StepTimes times;
  for (int run = 0; run <= runs; ++run) {
    ATH_TRY(const Profile profile, session.RunProfiled(inputs));
    after_run();
    if (run == 0) continue;
    times.plan = profile.plan;
    times.ms.resize(profile.step_times.size());
    for (std::size_t i = 0; i < times.ms.size(); ++i) {
      const double ms = std::chrono::duration<double, std::milli>(profile.step_times[i]).count();
      times.ms[i] = run == 1 ? ms : std::min(times.ms[i], ms);
    }
  }
  return times;
}

}  // namespace athanor::tools
