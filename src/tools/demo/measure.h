// How the demo measures: accuracy on the held-out pictures, and times of single runs.
#pragma once

#include <chrono>
#include <vector>

#include "runtime/session.h"
#include "train/trainer.h"

namespace athanor::tools::demo {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since);

struct Scores {
  std::vector<float> logits;  // [count, 10]
  double accuracy = 0;        // 0..1
};
Result<Scores> ScoreAll(Session& session, const train::Examples& examples);

double MaxDifference(const std::vector<float>& a, const std::vector<float>& b);

// Times of one picture, sorted, in milliseconds.
struct Times {
  std::vector<double> milliseconds;
  double median() const { return milliseconds[milliseconds.size() / 2]; }
};
// The sessions in turn, so that a slower second of the machine meets all of them; `seconds` for
// each, five runs at least.
Result<std::vector<Times>> TimeInTurn(const std::vector<Session*>& sessions,
                                      const train::Examples& examples, double seconds);

}  // namespace athanor::tools::demo
