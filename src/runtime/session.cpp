#include "runtime/session.h"

#include "core/text.h"
#include "plan/plan.h"
#include "runtime/cpu_session.h"
#include "runtime/own_memory.h"

namespace athanor {
namespace {

class ReferenceSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Create(Graph graph, const SessionOptions& options) {
    Graph lowered = graph.Clone();
    ATH_RETURN_IF_ERROR(LowerQuantized(lowered, false));
    return std::unique_ptr<Session>(
        new ReferenceSession(std::move(graph), std::move(lowered), options));
  }
  const Graph& graph() const override { return graph_; }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) override {
    ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
    ATH_TRY(std::vector<Datum> outputs,
            Evaluate(lowered_, std::move(inputs),
                     {.observer = observer_, .may_go_on = [&] { return options.MayGoOn(); }}));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const bool constant = lowered_.Constant(lowered_.outputs()[i].value) != nullptr;
      if (constant) {  // the caller may write to it
        ATH_TRY(outputs[i], Copy(outputs[i]));
      }
    }
    return outputs;
  }

 private:
  ReferenceSession(Graph graph, Graph lowered, const SessionOptions& options)
      : graph_(std::move(graph)), lowered_(std::move(lowered)), observer_(options.observer) {}

  Graph graph_;    // as given: what the caller sees
  Graph lowered_;  // what runs
  NodeObserver observer_;
};

struct Device {
  const char* name;
  Result<std::unique_ptr<Session>> (*create)(Graph graph, const SessionOptions& options);
};

constexpr Device kDevices[] = {
    {"cpu", CpuSession::Create},
    {"reference", ReferenceSession::Create},
};

}  // namespace

Status RunOptions::MayGoOn() const {
  if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
    return Error(ErrorCode::kCancelled, "the run was cancelled");
  if (deadline && std::chrono::steady_clock::now() >= *deadline)
    return Error(ErrorCode::kDeadline, "the run did not end before its deadline");
  return {};
}

std::vector<std::string> Session::Devices() {
  std::vector<std::string> names;
  for (const Device& device : kDevices) names.emplace_back(device.name);
  return names;
}

Result<std::unique_ptr<Session>> Session::Create(Graph graph, const SessionOptions& options) {
  for (const Device& device : kDevices) {
    if (options.device == device.name) return device.create(std::move(graph), options);
  }
  const std::vector<std::string> names = Devices();
  return Error(ErrorCode::kUnknownName, "there is no device \"{}\"{}; there are {}", options.device,
               DidYouMean(options.device, names), Join(names, ", "));
}

Result<std::shared_ptr<const Plan>> Session::PlanFor(const std::vector<Type>&) {
  return Unsupported("this device makes no plans; cpu does");
}

Result<Profile> Session::RunProfiled(std::vector<Datum>) {
  return Unsupported("this device makes no plans; cpu does");
}

}  // namespace athanor
