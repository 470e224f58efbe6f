#include "plan/trial.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <limits>

namespace athanor::plan {
namespace {

using kernels::PortInfo;

double NowNs(const ThreadPool& pool) {
  timespec now = {};
  clock_gettime(pool.threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

}  // namespace

std::optional<Tensor> Trial::Room(std::int64_t bytes) {
  Result<Tensor> tensor = Tensor::Allocate(DType::kU8, {std::max<std::int64_t>(bytes, 64)});
  if (!tensor.ok()) return std::nullopt;
  std::memset(tensor->mutable_raw(), 0, tensor->bytes());
  return *std::move(tensor);
}

Result<std::optional<Trial>> Trial::Make(const kernels::KernelDef& def,
                                         const kernels::KernelQuery& query,
                                         kernels::PackStore& store,
                                         const std::vector<Tensor>& operands) {
  Trial trial;
  trial.def_ = &def;
  ATH_TRY(trial.prepared_, def.prepare(query.To(def), store));
  for (std::size_t i = 0; i < query.in.size(); ++i) {
    const PortInfo& port = query.in[i];
    std::optional<Tensor> tensor = Tensor();
    if (i < operands.size() && operands[i].defined()) {
      tensor = operands[i];
    } else if (port.constant != nullptr) {
      tensor = *port.constant;
    } else if (port.given()) {
      tensor = Room(port.bytes());
    }
    if (!tensor) return std::optional<Trial>();
    trial.in_.push_back(port.given() ? tensor->raw() : nullptr);
    trial.inputs_.push_back(*std::move(tensor));
  }
  for (const PortInfo& port : query.out) {
    std::optional<Tensor> tensor = Room(port.bytes());
    if (!tensor) return std::optional<Trial>();
    trial.out_.push_back(port.given() ? tensor->mutable_raw() : nullptr);
    trial.outputs_.push_back(*std::move(tensor));
  }
  std::optional<Tensor> scratch = Room(trial.prepared_.scratch_bytes);
  if (!scratch) return std::optional<Trial>();
  trial.scratch_ = *std::move(scratch);
  return std::optional<Trial>(std::move(trial));
}

void Trial::Run(ThreadPool& pool) {
  std::atomic<const char*> data_error = nullptr;
  def_->run({.in = in_,
             .out = out_,
             .state = prepared_.state.get(),
             .scratch = static_cast<std::byte*>(scratch_.mutable_raw()),
             .pool = &pool,
             .data_error = &data_error});
}

double Trial::FastestNs(ThreadPool& pool, double ns) {
  Run(pool);
  const double begin = NowNs(pool);
  double best = 0, now = begin;
  for (int runs = 0; runs < 2 || now - begin < ns; ++runs) {
    const double start = NowNs(pool);
    Run(pool);
    now = NowNs(pool);
    if (runs == 0 || now - start < best) best = now - start;
  }
  return std::max(1.0, best);
}

std::vector<double> Race(std::span<std::optional<Trial>> trials, int rounds, double burst_ns,
                         double beaten, ThreadPool& pool) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<double> best(trials.size(), kNever);
  double fastest = kNever;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < trials.size(); ++i) {
      if (!trials[i] || (round > 0 && best[i] > beaten * fastest)) continue;
      best[i] = std::min(best[i], trials[i]->FastestNs(pool, burst_ns));
    }
    for (const double ns : best) fastest = std::min(fastest, ns);
  }
  return best;
}

}  // namespace athanor::plan
