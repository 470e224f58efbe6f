#include "runtime/body_plans.h"

#include <algorithm>

#include "runtime/run_state.h"

namespace athanor {
namespace {

constexpr std::size_t kMostEntries = 4;
// After so many plans for different shapes the next one is for all of them.
constexpr int kMostBodyPlans = 6;

}  // namespace

BodyPlans::BodyPlans(const Graph& body, const PlanOptions& options, kernels::PackStore& store)
    : body_(body), options_(options), store_(store) {}
BodyPlans::~BodyPlans() = default;

Result<BodyPlans::Entry> BodyPlans::MakeEntry(std::vector<Type> types, const RunHooks& hooks) {
  Entry entry = {.types = std::move(types), .plan = {}, .state = {}};
  PlanOptions options = options_;
  options.may_go_on = [&hooks] { return hooks.options.MayGoOn(); };
  ATH_TRY(entry.plan, MakePlan(body_.Clone(), entry.types, options, store_));
  entry.state = std::make_unique<RunState>(*entry.plan);
  ATH_TRY(Tensor arena, Tensor::Allocate(DType::kU8, {entry.plan->arena_bytes}));
  entry.state->UseArena(std::move(arena));
  ++made_;
  return entry;
}

Result<BodyPlans::Entry*> BodyPlans::EntryFor(const std::vector<Type>& types,
                                              const RunHooks& hooks) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.types == types; });
  if (found != entries_.end()) {
    std::rotate(found, found + 1, entries_.end());
    return &entries_.back();
  }
  if (made_ < kMostBodyPlans) {
    ATH_TRY(Entry entry, MakeEntry(types, hooks));
    if (entries_.size() == kMostEntries) entries_.erase(entries_.begin());
    entries_.push_back(std::move(entry));
    return &entries_.back();
  }
  // What all inputs seen so far have in common.
  std::vector<Type> common = open_.types.empty() ? entries_.back().types : open_.types;
  for (std::size_t i = 0; i < types.size(); ++i) {
    const std::optional<Type> both = CommonType(common[i], types[i]);
    if (!both) return InvalidModel("input {} of a sub-graph changes its kind", i);
    common[i] = *both;
  }
  if (open_.plan == nullptr || common != open_.types) {
    ATH_TRY(open_, MakeEntry(std::move(common), hooks));
  }
  return &open_;
}

Result<std::vector<Datum>> BodyPlans::Run(std::vector<Datum> inputs, ThreadPool& pool,
                                          const RunHooks& hooks) {
  if (hooks.depth > kMaxBodyDepth)
    return Error(ErrorCode::kResource, "sub-graphs are nested too deeply");
  std::vector<Type> types;
  for (const Datum& input : inputs) types.push_back(Type::Of(input));
  ATH_TRY(Entry* const entry, EntryFor(types, hooks));
  return entry->state->Run({.data = std::move(inputs)}, pool, hooks);
}

}  // namespace athanor
