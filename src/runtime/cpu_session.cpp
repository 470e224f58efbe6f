#include "runtime/cpu_session.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <new>

#include "core/text.h"
#include "core/wished_isa.h"
#include "runtime/answer_room.h"
#include "runtime/bound_cores.h"
#include "runtime/run_state.h"
#include "runtime/shared_weights.h"

namespace athanor {
namespace {

// Plans for this many different input shapes are kept: one is about as large as the graph without
// its weights.
constexpr std::ptrdiff_t kMostPlans = 64;
// More than any machine has cores: a wrong number shall not start a million threads.
constexpr int kMostThreads = 1024;
// How often a run that waits for a plan looks whether it was cancelled.
constexpr std::chrono::milliseconds kGlance(1);

}  // namespace

struct CpuSession::Entry {
  explicit Entry(const std::vector<Type>& types) : inputs(types) {}

  // Whether a run may take these as they are.
  bool Takes(std::span<const LentTensor> lent) const;

  const std::vector<Type> inputs;
  std::mutex mutex;  // guards what follows; never held while planning
  std::condition_variable changed;
  bool being_planned = false;        // by one thread; who needs the plan waits for it
  std::shared_ptr<const Plan> plan;  // once made, never changed
  Status failure;                    // why there is no plan
  std::vector<std::unique_ptr<RunState>> idle;
  std::atomic<bool> planned = false;  // plan != nullptr, for those who do not hold the mutex
  bool takes_lent = false;            // RunState::TakesLent; never changed once `planned`
  std::atomic<bool> checked = false;  // inputs of these types are what the graph takes
};

CpuSession::CpuSession(Graph graph, std::shared_ptr<const Graph> optimized,
                       const SessionOptions& options)
    : graph_(std::move(graph)),
      optimized_(std::move(optimized)),
      options_(options),
      store_(options.packs != nullptr    ? options.packs
             : options.shared != nullptr ? options.shared->packs()
                                         : std::make_shared<kernels::PackStore>()),
      process_(getpid()),
      planning_(std::max(2, Cpu().cores)) {
  const int streams = std::max(1, options.streams);
  const int cores = options.cores.empty() ? Cpu().cores : static_cast<int>(options.cores.size());
  const int threads = options.threads > 0 ? options.threads : std::max(1, cores / streams);
  for (int i = 0; i < streams; ++i) {
    pools_.push_back(std::make_unique<ThreadPool>(threads));
    free_pools_.push_back(pools_.back().get());
  }
  plan_options_.threads = threads;
  plan_options_.isa = std::min(options.isa.value_or(Isa::kAvx512), BestIsa());
  plan_options_.strict = options.strict;
  plan_options_.precision = Resolved(options.precision, plan_options_.isa);
  plan_options_.selector = options.selector;
  plan_options_.rates = options.rates;
  plan_options_.memory_price = options.memory_price;
  plan_options_.memory_budget = options.memory_budget;
  plan_options_.measured = options.measured;
  plan_options_.tune_seconds = options.tune_seconds;
}

struct CpuSession::Kit {
  Kit(CpuSession& its_session, std::shared_ptr<Entry> its_entry)
      : session(its_session), entry(std::move(its_entry)) {}
  ~Kit() {
    if (own_pool == nullptr) return;
    const std::scoped_lock lock(session.mutex_);
    session.free_pools_.push_back(own_pool);
  }
  Kit(const Kit&) = delete;
  Kit& operator=(const Kit&) = delete;

  // All streams are busy: a pool whose threads another run has does the work on the caller's own.
  ThreadPool& pool() const { return own_pool != nullptr ? *own_pool : *session.pools_.front(); }

  CpuSession& session;
  std::shared_ptr<Entry> entry;
  std::unique_ptr<RunState> state;
  ThreadPool* own_pool = nullptr;
};

CpuSession::~CpuSession() { delete kept_.load(); }

namespace {

bool Quantizes(const Graph& graph) {
  for (std::size_t n = 0; n < graph.node_capacity(); ++n) {
    const auto id = static_cast<NodeId>(n);
    if (graph.IsLive(id) && graph.node(id).op->name == "QuantizeLinear") return true;
  }
  return false;
}

}  // namespace

GraphOptions GraphOptionsOf(const Graph& graph, const SessionOptions& options) {
  const Isa isa = std::min(options.isa.value_or(Isa::kAvx512), BestIsa());
  bool any_half = false;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i)
    any_half |= graph.value(static_cast<ValueId>(i)).type.dtype == DType::kF16;
  // Without the passes, weights would become f32 in every run.
  const bool widen =
      options.optimize && any_half && Resolved(options.precision, isa) == Precision::kBf16;
  return {.optimize = options.optimize, .widen = widen};
}

Result<Graph> GraphForPlans(const Graph& graph, const GraphOptions& options) {
  const bool optimize = options.optimize;
  Graph made = graph.Clone();
  if (options.widen) ATH_RETURN_IF_ERROR(WidenForBf16(made));
  // What rounds in its own way is fixed before the passes change the formulas around it; where
  // elements lie is no matter of rounding.
  if (optimize && Quantizes(made)) ATH_RETURN_IF_ERROR(MeetTransposes(made));
  ATH_RETURN_IF_ERROR(LowerQuantized(made, false));
  if (optimize) ATH_RETURN_IF_ERROR(OptimizeForPlans(made));
  ATH_RETURN_IF_ERROR(LowerQuantized(made, optimize));
  return made;
}

Result<std::unique_ptr<Session>> CpuSession::Create(Graph graph, const SessionOptions& options) {
  ATH_RETURN_IF_ERROR(WishedIsa().status());
  if (options.isa && !HasIsa(*options.isa)) {
    return Error(ErrorCode::kUsage, "this machine has no {}", Name(*options.isa));
  }
  const Isa isa = std::min(options.isa.value_or(Isa::kAvx512), BestIsa());
  if (options.precision == Precision::kBf16 && !HasBf16(isa)) {
    return Unsupported(
               "precision bf16: {}",
               Cpu().avx512_bf16
                   ? fmt::format("it needs avx512_bf16, and no more than {} is allowed here "
                                 "(ATHANOR_ISA, or the session's options)",
                                 Name(isa))
                   : "this processor has no bf16 dot products (avx512_bf16)")
        .Fix("--precision auto, which takes f32 there, or f32");
  }
  const auto in_range = [](int n) { return n >= 0 && n <= kMostThreads; };
  if (!in_range(options.threads) || !in_range(options.streams) ||
      options.threads * options.streams > kMostThreads) {
    return Error(ErrorCode::kUsage,
                 "{} threads in each of {} streams are wanted; 0 (the cores shared out) to {} in "
                 "all are accepted",
                 options.threads, options.streams, kMostThreads);
  }
  // The session's threads start here, and its weights come to the memory of their node.
  const BoundToCores bound(options.cores);
  const auto shared =
      options.shared != nullptr ? options.shared : std::make_shared<SharedWeights>();
  ATH_TRY(std::shared_ptr<const Graph> optimized,
          shared->Optimized(graph, GraphOptionsOf(graph, options)));
  return std::unique_ptr<Session>(new CpuSession(std::move(graph), std::move(optimized), options));
}

// In a fork nobody goes on with what other threads were planning. Their entries are kept as they
// are, for ever: a mutex may be locked, and a condition variable waits for its waiters to go.
void CpuSession::LeaveToParent() {
  if (process_ == getpid()) return;
  process_ = getpid();
  for (std::shared_ptr<Entry>& entry : entries_) {
    if (!entry->planned) new std::shared_ptr<Entry>(std::move(entry));
  }
  std::erase(entries_, nullptr);
}

void CpuSession::Tidy() {
  // Could not be planned, and nobody is left who tries or waits: a later request tries again.
  std::erase_if(entries_,
                [](const auto& entry) { return !entry->planned && entry.use_count() == 1; });
  const auto is_planned = [](const auto& entry) { return entry->planned.load(); };
  auto surplus = std::count_if(entries_.begin(), entries_.end(), is_planned) - kMostPlans;
  for (; surplus > 0; --surplus)
    entries_.erase(std::find_if(entries_.begin(), entries_.end(), is_planned));
}

template <class F>
std::shared_ptr<CpuSession::Entry> CpuSession::Find(const F& is_it) {
  const auto found = std::find_if(entries_.rbegin(), entries_.rend(),
                                  [&](const auto& entry) { return is_it(*entry); });
  if (found == entries_.rend()) return nullptr;
  std::rotate(found.base() - 1, found.base(), entries_.end());
  return entries_.back();
}

std::shared_ptr<CpuSession::Entry> CpuSession::FindOrAdd(const std::vector<Type>& inputs) {
  const std::scoped_lock lock(mutex_);
  LeaveToParent();
  Tidy();
  std::shared_ptr<Entry> found = Find([&](const Entry& entry) { return entry.inputs == inputs; });
  if (found == nullptr) found = entries_.emplace_back(std::make_shared<Entry>(inputs));
  return found;
}

void CpuSession::MakePlanOf(Entry& entry, const std::function<Status()>& may_go_on) {
  PlanOptions options = plan_options_;
  bool given_up = false;
  options.may_go_on = [&] {
    Status status = may_go_on();
    given_up = !status.ok();
    return status;
  };
  const auto make = [&]() -> Result<std::shared_ptr<const Plan>> {
    try {
      return MakePlan(optimized_->Clone(), entry.inputs, options, *store_);
    } catch (const std::bad_alloc&) {
      return Error(ErrorCode::kResource, "out of memory while the model is planned");
    } catch (const std::exception& error) {  // others wait for the plan, and this may be our thread
      return Error(ErrorCode::kInternal, "the model cannot be planned: {}", error.what());
    }
  };
  Result<std::shared_ptr<const Plan>> made = make();
  const std::scoped_lock lock(entry.mutex);
  entry.being_planned = false;
  if (made.ok()) {
    entry.plan = *std::move(made);
    entry.takes_lent = RunState::TakesLent(*entry.plan);
    entry.planned = true;
  } else if (!given_up) {
    entry.failure = std::move(made).status();
  }
  entry.changed.notify_all();
}

// False when nothing was begun: who waits for the plan must not wait for ever.
bool CpuSession::PlanBeside(const std::shared_ptr<Entry>& entry) {
  try {
    return planning_.Start([this, entry] {
      MakePlanOf(*entry, [this]() -> Status {
        if (!planning_.is_stopping()) return {};
        return Error(ErrorCode::kCancelled, "the session is being closed");
      });
    });
  } catch (const std::bad_alloc&) {
    return false;
  }
}

namespace {

// Where a run was when it ended early.
Status WhilePlanning(Status status, const std::vector<Type>& inputs, bool goes_on) {
  if (status.ok()) return status;
  const bool late = status.code() == ErrorCode::kDeadline;
  std::vector<std::string> types;
  for (const Type& type : inputs) types.push_back(type.ToString());
  status = std::move(status).In("planning for " + Join(types, ", "));
  if (!late) return status;
  return std::move(status).Fix(
      fmt::format("a first run of this shape without a deadline, when the model is opened: each "
                  "shape is planned once{}",
                  goes_on ? ", and planning goes on now for the next run" : ""));
}

}  // namespace

Status CpuSession::AwaitPlan(const std::shared_ptr<Entry>& entry, const RunOptions& options) {
  std::unique_lock lock(entry->mutex);
  while (entry->plan == nullptr && entry->failure.ok()) {
    ATH_RETURN_IF_ERROR(WhilePlanning(options.MayGoOn(), entry->inputs, entry->being_planned));
    if (entry->being_planned) {
      if (!options.MayEnd()) {
        entry->changed.wait(lock);
      } else {
        const auto glance = std::chrono::steady_clock::now() + kGlance;
        entry->changed.wait_until(lock, std::min(glance, options.deadline.value_or(glance)));
      }
      continue;
    }
    entry->being_planned = true;
    lock.unlock();
    // What was begun for a run that may not see the end of it is not lost. With too many of them
    // the run plans itself, as far as it comes.
    const bool beside = options.MayEnd() && PlanBeside(entry);
    if (!beside) MakePlanOf(*entry, [&options] { return options.MayGoOn(); });
    lock.lock();
  }
  return entry->failure;
}

Result<std::shared_ptr<CpuSession::Entry>> CpuSession::EntryFor(const std::vector<Type>& inputs,
                                                                const RunOptions& options) {
  std::shared_ptr<Entry> entry = FindOrAdd(inputs);
  if (entry->planned) return entry;
  ATH_RETURN_IF_ERROR(AwaitPlan(entry, options));
  const std::scoped_lock lock(mutex_);
  Tidy();
  return entry;
}

namespace {

bool AreDims(std::span<const std::int64_t> dims, const Shape& shape) {
  return std::equal(
      dims.begin(), dims.end(), shape.begin(), shape.end(),
      [](std::int64_t size, const Dim& dim) { return dim.IsConst() && dim.value() == size; });
}

bool IsOf(const Datum& datum, const Type& type) {
  if (!datum.IsTensor() || !type.HasRank()) return Type::Of(datum) == type;
  return datum.tensor().dtype() == type.dtype && AreDims(datum.tensor().dims(), *type.shape);
}

bool IsLentOf(const LentTensor& lent, const Type& type) {
  return type.HasRank() && lent.dtype == type.dtype &&
         AreDims({lent.dims, static_cast<std::size_t>(lent.rank)}, *type.shape);
}

}  // namespace

bool CpuSession::Entry::Takes(std::span<const LentTensor> lent) const {
  return checked && takes_lent && std::ranges::equal(lent, inputs, IsLentOf);
}

Result<std::shared_ptr<CpuSession::Entry>> CpuSession::EntryFor(const std::vector<Datum>& inputs,
                                                                const RunOptions& options) {
  {
    const std::scoped_lock lock(mutex_);
    std::shared_ptr<Entry> known = Find([&](const Entry& entry) {
      return entry.checked && std::ranges::equal(inputs, entry.inputs, IsOf);
    });
    if (known != nullptr) return known;
  }
  ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
  std::vector<Type> types;
  for (const Datum& input : inputs) types.push_back(Type::Of(input));
  ATH_TRY(std::shared_ptr<Entry> entry, EntryFor(types, options));
  entry->checked = true;
  return entry;
}

namespace {

Status NoMemoryForRun(const Plan& plan, const Status& why) {
  return Error(ErrorCode::kResource, "{}; the plan needs {} bytes for each run", why.message(),
               plan.arena_bytes)
      .Fix("less memory for a run (--mem-budget), fewer streams, or a smaller batch or input");
}

}  // namespace

std::unique_ptr<CpuSession::Kit> CpuSession::TakeKept() {
  return std::unique_ptr<Kit>(kept_.exchange(nullptr, std::memory_order_acq_rel));
}

// Before others look for a pool or memory: what is kept may be all there is.
void CpuSession::GiveBack(std::unique_ptr<Kit> kit) {
  if (kit == nullptr) return;
  arenas_.GiveBack(kit->state->TakeArena());
  const std::scoped_lock lock(kit->entry->mutex);
  kit->entry->idle.push_back(std::move(kit->state));
}

void CpuSession::Keep(std::unique_ptr<Kit> kit) {
  Kit* none = nullptr;
  const bool kept = kit->own_pool != nullptr &&
                    kept_.compare_exchange_strong(none, kit.get(), std::memory_order_acq_rel);
  if (kept) {
    static_cast<void>(kit.release());
  } else {
    GiveBack(std::move(kit));
  }
}

Result<std::unique_ptr<CpuSession::Kit>> CpuSession::KitFor(std::shared_ptr<Entry> entry) {
  std::unique_ptr<Kit> kit = TakeKept();
  if (kit != nullptr && kit->entry == entry) return kit;
  GiveBack(std::move(kit));
  kit = std::make_unique<Kit>(*this, std::move(entry));
  {
    const std::scoped_lock lock(kit->entry->mutex);
    if (!kit->entry->idle.empty()) {
      kit->state = std::move(kit->entry->idle.back());
      kit->entry->idle.pop_back();
    }
  }
  if (kit->state == nullptr) kit->state = std::make_unique<RunState>(*kit->entry->plan);
  Result<Tensor> arena = arenas_.Take(kit->entry->plan->arena_bytes);
  if (!arena.ok()) return NoMemoryForRun(*kit->entry->plan, arena.status());
  kit->state->UseArena(*std::move(arena));
  const std::scoped_lock lock(mutex_);
  if (free_pools_.empty()) return kit;
  kit->own_pool = free_pools_.back();
  free_pools_.pop_back();
  return kit;
}

Result<std::unique_ptr<CpuSession::Kit>> CpuSession::KitFor(std::span<const LentTensor> inputs) {
  if (options_.observer || inputs.empty()) return std::unique_ptr<Kit>();
  if (std::unique_ptr<Kit> kit = TakeKept(); kit != nullptr) {
    if (kit->entry->Takes(inputs)) return kit;
    Keep(std::move(kit));
  }
  std::shared_ptr<Entry> known;
  {
    const std::scoped_lock lock(mutex_);
    known = Find([&](const Entry& entry) { return entry.Takes(inputs); });
  }
  if (known == nullptr) return std::unique_ptr<Kit>();
  return KitFor(std::move(known));
}

Result<std::vector<Datum>> CpuSession::RunEntry(std::shared_ptr<Entry> entry, RunInputs inputs,
                                                const RunOptions& options,
                                                std::vector<std::chrono::nanoseconds>* step_times) {
  ATH_TRY(std::unique_ptr<Kit> kit, KitFor(std::move(entry)));
  Result<std::vector<Datum>> outputs = kit->state->Run(std::move(inputs), kit->pool(),
                                                       {.observer = options_.observer,
                                                        .step_times = step_times,
                                                        .options = options,
                                                        .poison = options_.poison});
  Keep(std::move(kit));
  return outputs;
}

Result<std::vector<Datum>> CpuSession::Run(std::vector<Datum> inputs, const RunOptions& options) {
  const BoundToCores bound(options_.cores);
  const RunOptions from_now = options.FromNow();
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(inputs, from_now));
  return RunEntry(entry, {.data = std::move(inputs)}, from_now, nullptr);
}

Result<std::vector<Datum>> CpuSession::RunLent(std::span<const LentTensor> inputs) {
  ATH_TRY(std::unique_ptr<Kit> kit, KitFor(inputs));
  if (kit == nullptr) return Session::RunLent(inputs);
  const BoundToCores bound(options_.cores);
  Result<std::vector<Datum>> outputs =
      kit->state->Run({.lent = inputs}, kit->pool(), {.poison = options_.poison});
  Keep(std::move(kit));
  return outputs;
}

Status CpuSession::RunInto(std::span<const LentTensor> inputs,
                           std::span<const AnswerRoom> answers) {
  ATH_RETURN_IF_ERROR(CheckCount(graph_, answers));
  ATH_TRY(std::unique_ptr<Kit> kit, KitFor(inputs));
  if (kit == nullptr) return Session::RunInto(inputs, answers);
  const BoundToCores bound(options_.cores);
  Status status =
      kit->state->RunInto({.lent = inputs}, answers, kit->pool(), {.poison = options_.poison});
  Keep(std::move(kit));
  return status;
}

Result<std::shared_ptr<const Plan>> CpuSession::PlanFor(const std::vector<Type>& inputs) {
  const BoundToCores bound(options_.cores);
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(inputs, {}));
  return entry->plan;
}

Result<Profile> CpuSession::RunProfiled(std::vector<Datum> inputs) {
  const BoundToCores bound(options_.cores);
  ATH_TRY(const std::shared_ptr<Entry> entry, EntryFor(inputs, {}));
  Profile profile = {.plan = entry->plan, .step_times = {}};
  ATH_TRY(const std::vector<Datum> outputs,
          RunEntry(entry, {.data = std::move(inputs)}, {}, &profile.step_times));
  return profile;
}

}  // namespace athanor
