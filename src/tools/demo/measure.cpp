#include "tools/demo/measure.h"

#include <algorithm>
#include <cmath>

#include "tools/examples.h"

namespace athanor::tools::demo {

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

Result<Scores> ScoreAll(Session& session, const train::Examples& examples) {
  constexpr std::int64_t kBatch = 60, kClasses = 10;
  Scores scores;
  const std::int64_t count = examples.pixels.dim(0);
  std::int64_t right = 0;
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    const std::int64_t end = std::min(begin + kBatch, count);
    ATH_TRY(Tensor input, ExampleInput(examples, begin, end));
    ATH_TRY(const std::vector<Datum> outputs, session.Run({std::move(input)}));
    const auto logits = outputs[0].tensor().Data<float>();
    for (std::int64_t i = begin; i < end; ++i) {
      const auto row = logits.subspan(static_cast<std::size_t>((i - begin) * kClasses), kClasses);
      const auto best = std::max_element(row.begin(), row.end()) - row.begin();
      right += best == examples.labels[static_cast<std::size_t>(i)] ? 1 : 0;
    }
    scores.logits.insert(scores.logits.end(), logits.begin(), logits.end());
  }
  scores.accuracy = static_cast<double>(right) / static_cast<double>(count);
  return scores;
}

double MaxDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, static_cast<double>(std::fabs(a[i] - b[i])));
  return largest;
}

Result<std::vector<Times>> TimeInTurn(const std::vector<Session*>& sessions,
                                      const train::Examples& examples, double seconds) {
  constexpr int kWarm = 3;  // the first runs plan and warm the caches
  constexpr std::size_t kLeast = 5;
  std::vector<Times> times(sessions.size());
  std::vector<double> spent(sessions.size());
  const auto run = [&](std::size_t k, std::int64_t picture) -> Result<double> {
    ATH_TRY(Tensor input, ExampleInput(examples, picture, picture + 1));
    const Clock::time_point start = Clock::now();
    ATH_RETURN_IF_ERROR(sessions[k]->Run({std::move(input)}).status());
    return Seconds(start);
  };
  for (std::size_t k = 0; k < sessions.size(); ++k) {
    for (int i = 0; i < kWarm; ++i) ATH_RETURN_IF_ERROR(run(k, 0).status());
  }
  for (std::int64_t i = 0; spent[0] < seconds || times[0].milliseconds.size() < kLeast; ++i) {
    for (std::size_t k = 0; k < sessions.size(); ++k) {
      ATH_TRY(const double elapsed, run(k, i % examples.pixels.dim(0)));
      spent[k] += elapsed;
      times[k].milliseconds.push_back(1000 * elapsed);
    }
  }
  for (Times& one : times) std::sort(one.milliseconds.begin(), one.milliseconds.end());
  return times;
}

}  // namespace athanor::tools::demo
