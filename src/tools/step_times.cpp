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
    std::vector<double>& now = times.runs.emplace_back();
    for (const std::chrono::nanoseconds time : profile.step_times)
      now.push_back(std::chrono::duration<double, std::milli>(time).count());
    if (run == 1) times.ms = now;
    for (std::size_t i = 0; i < now.size(); ++i) times.ms[i] = std::min(times.ms[i], now[i]);
  }
  return times;
}

}  // namespace athanor::tools
