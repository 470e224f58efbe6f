// Chooses kernels by measuring them.
//
// Estimates rank the candidates of a group; those that are not far behind the best run on buffers
// of the group's sizes, with the threads of the plan, and the fastest one is taken. What was
// measured is kept by the group's signature, so that equal layers are measured once.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "plan/stages.h"

namespace athanor::plan {
namespace {

using kernels::Candidate;
using kernels::PortInfo;
using Clock = std::chrono::steady_clock;

// Estimates may be wrong by this factor before the best kernel is missed.
constexpr double kFarBehind = 3;
constexpr int kRuns = 3;

std::string Describe(const PortInfo& port) {
  if (!port.given()) return "-";
  return fmt::format("{}{}{}{}", Name(port.dtype), ToString(port.dims),
                     port.block == 0 ? "" : fmt::format("c{}", port.block),
                     port.constant == nullptr ? "" : "=");
}

std::string Signature(const Group& group, const PlanOptions& options) {
  std::string text = fmt::format("{} t{}", group.query.op->name, options.threads);
  for (const auto& [name, value] : *group.query.attributes)
    text += fmt::format(" {}={}", name, Print(value));
  for (const PortInfo& port : group.query.in) text += " " + Describe(port);
  for (const PortInfo& port : group.query.out) text += " >" + Describe(port);
  for (const kernels::EpilogueStep& step : group.query.epilogue)
    text += fmt::format(" +{}{}", step.op, static_cast<int>(step.spread));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n'; }, '_');
  return text;
}

class Tuner {
 public:
  Tuner(const PlanOptions& options, kernels::PackStore& store)
      : options_(options),
        store_(store),
        end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(options.tune_seconds))) {}

  Status Choose(Group& group) {
    std::vector<Candidate>& all = group.candidates;
    if (group.kernel() == nullptr || group.query.attributes == nullptr) return {};
    const double best = all[0].cost_ns;
    const auto last = std::find_if(all.begin(), all.end(), [&](const Candidate& candidate) {
      return !candidate.fit.yes() || candidate.cost_ns > kFarBehind * best || candidate.def->view;
    });
    if (last - all.begin() < 2) return {};
    const std::string signature = Signature(group, options_);
    for (auto at = all.begin(); at != last; ++at) {
      std::optional<double> known = options_.measured->Find(signature, at->def->name);
      if (!known && Clock::now() < end_) {
        ATH_TRY(known, Measure(group, *at));
        if (known) options_.measured->Set(signature, at->def->name, *known);
      }
      at->measured_ns = known.value_or(0);
    }
    // A candidate without a time was never reached: it cannot be judged against the others.
    std::stable_sort(all.begin(), last, [](const Candidate& a, const Candidate& b) {
      if ((a.measured_ns > 0) != (b.measured_ns > 0)) return a.measured_ns > 0;
      return a.measured_ns < b.measured_ns;
    });
    return {};
  }

 private:
  // Nothing when there is no memory for it.
  Result<std::optional<double>> Measure(const Group& group, const Candidate& candidate) {
    const kernels::KernelQuery query = group.query.To(*candidate.def);
    ATH_TRY(const kernels::Prepared prepared, candidate.def->prepare(query, store_));
    std::vector<Tensor> held;
    std::vector<const void*> in;
    std::vector<void*> out;
    bool enough = true;
    const auto room = [&](std::int64_t bytes) -> void* {
      Result<Tensor> tensor = Tensor::Allocate(DType::kU8, {std::max<std::int64_t>(bytes, 64)});
      enough = enough && tensor.ok();
      if (!tensor.ok()) return nullptr;
      // Zeros: no value makes a kernel slower or stops it.
      std::memset(tensor->mutable_raw(), 0, tensor->bytes());
      held.push_back(*std::move(tensor));
      return held.back().mutable_raw();
    };
    for (const PortInfo& port : query.in) {
      in.push_back(!port.given()              ? nullptr
                   : port.constant != nullptr ? port.constant->raw()
                                              : room(port.bytes()));
    }
    for (const PortInfo& port : query.out)
      out.push_back(port.given() ? room(port.bytes()) : nullptr);
    auto* scratch = static_cast<std::byte*>(room(prepared.scratch_bytes));
    if (!enough) return std::optional<double>();
    std::atomic<const char*> data_error = nullptr;
    const kernels::KernelArgs args = {.in = in,
                                      .out = out,
                                      .state = prepared.state.get(),
                                      .scratch = scratch,
                                      .pool = &Pool(),
                                      .data_error = &data_error};
    double best = 0;
    for (int run = 0; run <= kRuns; ++run) {
      const auto start = Clock::now();
      candidate.def->run(args);
      const double ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
      if (run == 1 || (run > 1 && ns < best)) best = ns;  // the first one warms up
    }
    return std::optional<double>(std::max(1.0, best));
  }

  ThreadPool& Pool() {
    if (pool_ == nullptr) pool_ = std::make_unique<ThreadPool>(options_.threads);
    return *pool_;
  }

  const PlanOptions& options_;
  kernels::PackStore& store_;
  Clock::time_point end_;
  std::unique_ptr<ThreadPool> pool_;
};

}  // namespace

Status ChooseMeasured(std::vector<Group>& groups, const PlanOptions& options,
                      kernels::PackStore& store) {
  if (options.measured == nullptr) return {};
  Tuner tuner(options, store);
  for (Group& group : groups) ATH_RETURN_IF_ERROR(tuner.Choose(group));
  return {};
}

}  // namespace athanor::plan
