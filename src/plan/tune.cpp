// Chooses kernels by measuring them.
//
// Estimates rank the candidates of a group in all its layouts; those that are not far behind the
// best run on buffers of the group's sizes, with the threads of the plan, the groups that take
// longest first: the close ones of all groups, then the others. What was measured is kept by the
// signature, so that equal layers are measured once.
#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "plan/stages.h"
#include "plan/trial.h"

namespace athanor::plan {
namespace {

using kernels::Candidate;
using kernels::KernelQuery;
using kernels::PortInfo;
using Clock = std::chrono::steady_clock;

// Estimates may be wrong by these factors before the best kernel is missed: mostly, and ever.
constexpr double kFarBehind[] = {1.5, 4};
constexpr int kRounds = 4;
constexpr double kBurstNs = 2e5;     // of one round, at least
constexpr double kBeaten = 1.5;      // so much slower than the fastest: no further round
constexpr double kRunsExpected = 6;  // many are beaten after one round

std::string Describe(const PortInfo& port) {
  if (!port.given()) return "-";
  return fmt::format("{}{}{}{}", Name(port.dtype), ToString(port.dims),
                     port.block == 0 ? "" : fmt::format("c{}", port.block),
                     port.constant == nullptr ? "" : "=");
}

std::string Signature(const KernelQuery& query) {
  std::string text = fmt::format("{} t{}", query.op->name, query.threads);
  // Where factors may be rounded other kernels compete: times of one precision, the only ones
  // there are, would decide against all that the other adds.
  if (query.precision != Precision::kF32) text += fmt::format(" {}", Name(query.precision));
  for (const auto& [name, value] : *query.attributes)
    text += fmt::format(" {}={}", name, Print(value));
  for (const PortInfo& port : query.in) text += " " + Describe(port);
  for (const PortInfo& port : query.out) text += " >" + Describe(port);
  for (const kernels::EpilogueStep& step : query.epilogue)
    text += fmt::format(" +{}{}", step.op, static_cast<int>(step.spread));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n'; }, '_');
  return text;
}

// One kernel in one layout that competes.
struct Rival {
  const KernelQuery* query = nullptr;
  Candidate* candidate = nullptr;
  std::string signature;
};

class Tuner {
 public:
  explicit Tuner(const PlanOptions& options) : options_(options) {}

  Status Run(std::vector<Contest> contests) {
    std::stable_sort(contests.begin(), contests.end(),
                     [](const Contest& a, const Contest& b) { return BestNs(a) > BestNs(b); });
    ExpectAll(contests);
    for (const double far_behind : kFarBehind) {
      for (const Contest& contest : contests) ATH_RETURN_IF_ERROR(Measure(contest, far_behind));
    }
    for (const Contest& contest : contests) {
      if (contest.open != nullptr) *contest.open = IsOpen(contest);
      for (const Entry& entry : contest.entries) {
        std::stable_sort(entry.candidates->begin(), entry.candidates->end(),
                         [](const Candidate& a, const Candidate& b) { return a.Precedes(b); });
      }
    }
    return {};
  }

 private:
  // The best estimate; 0 when nothing fits.
  static double BestNs(const Contest& contest) {
    double best = 0;
    for (const Entry& entry : contest.entries) {
      if (entry.fits() && (best == 0 || entry.cost_ns() < best)) best = entry.cost_ns();
    }
    return best;
  }

  static std::vector<Rival> RivalsOf(const Contest& contest, double far_behind) {
    const double most = far_behind * BestNs(contest);
    std::vector<Rival> rivals;
    for (const Entry& entry : contest.entries) {
      if (entry.candidates->empty()) continue;
      const std::string signature = Signature(*entry.query);
      for (Candidate& candidate : *entry.candidates) {
        if (!candidate.fit.yes() || candidate.def->view || candidate.cost_ns > most) continue;
        rivals.push_back({entry.query, &candidate, signature});
      }
    }
    return rivals;
  }

  // Of measuring them all; 0 when there is nothing to measure.
  double ExpectedNs(const std::vector<Rival>& rivals) const {
    if (rivals.size() < 2) return 0;
    double expected_ns = 0;
    bool all_known = true;
    for (const Rival& rival : rivals) {
      all_known = all_known &&
                  options_.measured->Find(rival.signature, rival.candidate->def->name).has_value();
      expected_ns += kRunsExpected * rival.candidate->cost_ns + kBurstNs;
    }
    return all_known ? 0 : expected_ns;
  }

  // Equal layers are measured once, and those far behind only where there are any.
  void ExpectAll(const std::vector<Contest>& contests) {
    std::map<std::string, std::size_t> expected;  // signature -> how many rivals
    for (const double far_behind : kFarBehind) {
      for (const Contest& contest : contests) {
        const std::vector<Rival> rivals = RivalsOf(contest, far_behind);
        if (rivals.empty() || expected[rivals[0].signature] >= rivals.size()) continue;
        expected[rivals[0].signature] = rivals.size();
        expected_ns_ += ExpectedNs(rivals);
      }
    }
  }

  // Where the budget ends before the work does, time passes; else work is done.
  void Report(double measured_ns) {
    done_ns_ += measured_ns;
    const double budget_ns = options_.tune_seconds * 1e9;
    if (expected_ns_ <= 0 || budget_ns <= 0) return;
    const bool in_time = expected_ns_ <= budget_ns;
    options_.measured->Report((in_time ? done_ns_ : Seconds() * 1e9) * 1e-6,
                              std::min(expected_ns_, budget_ns) * 1e-6);
  }

  // All rivals in turn when a time is missing, or none of them when there is not the time for all:
  // times of different minutes are not compared where that can be helped.
  Status Measure(const Contest& contest, double far_behind) {
    ATH_RETURN_IF_ERROR(options_.MayGoOn());
    std::vector<Rival> rivals = RivalsOf(contest, far_behind);
    if (rivals.size() < 2) return {};
    for (Rival& rival : rivals) {
      const auto known = options_.measured->Find(rival.signature, rival.candidate->def->name);
      rival.candidate->measured_ns = known.value_or(0);
    }
    const double expected_ns = ExpectedNs(rivals);
    if (expected_ns == 0 || Seconds() + expected_ns * 1e-9 > options_.tune_seconds) return {};
    Report(0);
    // Of their own: what the losers packed would otherwise stay as long as the weights do.
    kernels::PackStore packs;
    std::vector<std::optional<Trial>> trials;
    for (const Rival& rival : rivals) {
      ATH_TRY(std::optional<Trial> trial, Trial::Make(*rival.candidate->def, *rival.query, packs));
      trials.push_back(std::move(trial));
    }
    const std::vector<double> best = Race(trials, kRounds, kBurstNs, kBeaten, Pool());
    for (std::size_t i = 0; i < rivals.size(); ++i) {
      if (!trials[i]) {
        too_large_.emplace(rivals[i].signature, rivals[i].candidate->def->name);
        continue;
      }
      rivals[i].candidate->measured_ns = best[i];
      options_.measured->Set(rivals[i].signature, rivals[i].candidate->def->name, best[i]);
    }
    Report(expected_ns);
    return {};
  }

  // Whether a later call with more time would measure it. Before candidates are ordered by times.
  bool IsOpen(const Contest& contest) const {
    const std::vector<Rival> rivals = RivalsOf(contest, *std::rbegin(kFarBehind));
    return rivals.size() > 1 && std::any_of(rivals.begin(), rivals.end(), [&](const Rival& rival) {
             return rival.candidate->measured_ns == 0 &&
                    too_large_.count({rival.signature, rival.candidate->def->name}) == 0;
           });
  }

  double Seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  ThreadPool& Pool() {
    if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>(options_.threads);
    return *pool_;
  }

  const PlanOptions& options_;
  Clock::time_point start_ = Clock::now();
  std::unique_ptr<ThreadPool> pool_;
  double expected_ns_ = 0, done_ns_ = 0;                     // of measuring
  std::set<std::pair<std::string, std::string>> too_large_;  // signature and kernel: no memory
};

}  // namespace

Status ChooseMeasured(std::vector<Contest> contests, const PlanOptions& options) {
  if (options.measured == nullptr || options.selector != Selector::kMeasured) return {};
  return Tuner(options).Run(std::move(contests));
}

}  // namespace athanor::plan
