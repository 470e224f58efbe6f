#include "runtime/cpu_session.h"

#include <algorithm>

#include "runtime/run_state.h"

namespace athanor {
namespace {

// Plans for this many different input shapes are kept.
constexpr std::size_t kMostPlans = 8;

}  // namespace

struct CpuSession::Entry {
  std::shared_ptr<const Plan> plan;
  std::mutex mutex;
  std::vector<std::unique_ptr<RunState>> idle;
};

CpuSession::CpuSession(Graph graph, Graph optimized, const SessionOptions& options)
    : graph_(std::move(graph)),
      optimized_(std::move(optimized)),
      options_(options),
      pool_(options.threads) {
  plan_options_.threads = pool_.threads();
  plan_options_.isa = std::min(options.isa.value_or(Isa::kAvx512), BestIsa());
}

CpuSession::~CpuSession() = default;

Result<std::unique_ptr<Session>> CpuSession::Create(Graph graph, const SessionOptions& options) {
  if (options.isa && !HasIsa(*options.isa)) {
    return Error(ErrorCode::kUsage, "this machine has no {}", Name(*options.isa));
  }
  Graph optimized = graph.Clone();
  if (options.optimize) ATH_RETURN_IF_ERROR(OptimizeForPlans(optimized));
  ATH_RETURN_IF_ERROR(LowerQuantized(optimized, options.optimize));
  return std::unique_ptr<Session>(new CpuSession(std::move(graph), std::move(optimized), options));
}

Result<std::shared_ptr<CpuSession::Entry>> CpuSession::EntryFor(const std::vector<Type>& inputs) {
  std::string key;
  for (const Type& type : inputs) key += type.ToString() + ";";
  const std::scoped_lock lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found != entries_.end()) {
    std::rotate(found, found + 1, entries_.end());
    return entries_.back().second;
  }
  auto entry = std::make_shared<Entry>();
  ATH_TRY(entry->plan, MakePlan(optimized_.Clone(), inputs, plan_options_, store_));
  if (entries_.size() == kMostPlans) entries_.erase(entries_.begin());
  entries_.emplace_back(std::move(key), entry);
  return entry;
}

Result<std::vector<Datum>> CpuSession::RunEntry(Entry& entry, std::vector<Datum> inputs,
                                                std::vector<std::chrono::nanoseconds>* step_times) {
  std::unique_ptr<RunState> state;
  {
    const std::scoped_lock lock(entry.mutex);
    if (!entry.idle.empty()) {
      state = std::move(entry.idle.back());
      entry.idle.pop_back();
    }
  }
  if (state == nullptr) {
    ATH_TRY(state, RunState::Create(*entry.plan));
  }
  Result<std::vector<Datum>> outputs = state->Run(
      std::move(inputs), pool_,
      {.observer = options_.observer, .step_times = step_times, .poison = options_.poison});
  const std::scoped_lock lock(entry.mutex);
  entry.idle.push_back(std::move(state));
  return outputs;
}

Result<std::vector<Datum>> CpuSession::Run(std::vector<Datum> inputs) {
  ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
  std::vector<Type> types;
  for (const Datum& input : inputs) types.push_back(Type::Of(input));
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(types));
  return RunEntry(*entry, std::move(inputs), nullptr);
}

Result<std::shared_ptr<const Plan>> CpuSession::PlanFor(const std::vector<Type>& inputs) {
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(inputs));
  return entry->plan;
}

Result<Profile> CpuSession::RunProfiled(std::vector<Datum> inputs) {
  ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
  std::vector<Type> types;
  for (const Datum& input : inputs) types.push_back(Type::Of(input));
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(types));
  Profile profile = {.plan = entry->plan, .step_times = {}};
  ATH_TRY(const std::vector<Datum> outputs,
          RunEntry(*entry, std::move(inputs), &profile.step_times));
  return profile;
}

}  // namespace athanor
