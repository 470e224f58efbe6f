#include "runtime/session.h"

#include "core/text.h"
#include "runtime/answer_room.h"
#include "runtime/hetero_session.h"
#include "runtime/multi_session.h"

namespace athanor {
namespace {

// Names that stand for several devices: "MULTI:" and which.
struct Combination {
  std::string name;
  Result<std::unique_ptr<Session>> (*create)(Graph graph, std::string_view names,
                                             const SessionOptions& options);
};

const std::vector<Combination>& Combinations() {
  static const std::vector<Combination> all = {
      {"HETERO", HeteroSession::Create},
      {"MULTI", MultiSession::Create},
  };
  return all;
}

using Time = std::chrono::steady_clock::time_point;

double Milliseconds(std::chrono::steady_clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

Status Missed(Time deadline, Time now, std::optional<Time> asked) {
  const bool begun = asked && deadline > *asked;
  Status status =
      begun
          ? Error(ErrorCode::kDeadline, "{:.4g} ms were allowed, {:.4g} ms have passed",
                  Milliseconds(deadline - *asked), Milliseconds(now - *asked))
          : Error(ErrorCode::kDeadline, "the deadline had passed by {:.4g} ms before it was begun",
                  Milliseconds(now - deadline));
  return std::move(status).Fix(
      "a later deadline, a smaller input or more threads; athanor profile shows what takes the "
      "time");
}

}  // namespace

Status RunOptions::MayGoOn() const {
  if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed))
    return Error(ErrorCode::kCancelled, "the run was cancelled");
  if (!deadline) return {};
  const auto now = std::chrono::steady_clock::now();
  return now < *deadline ? Status() : Missed(*deadline, now, asked);
}

RunOptions RunOptions::FromNow() const {
  RunOptions options = *this;
  if (deadline && !asked) options.asked = std::chrono::steady_clock::now();
  return options;
}

Result<std::unique_ptr<Session>> Session::Create(Graph graph, const SessionOptions& options) {
  const std::string_view name = options.device;
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) {
    ATH_TRY(const Device device, Device::Find(name, options));
    return device.Open(std::move(graph));
  }
  std::vector<std::string> names;
  for (const Combination& combination : Combinations()) {
    if (name.substr(0, colon) == combination.name)
      return combination.create(std::move(graph), name.substr(colon + 1), options);
    names.push_back(combination.name);
  }
  return Error(ErrorCode::kUnknownName, "\"{}\" combines no devices{}; {} do",
               name.substr(0, colon), DidYouMean(name.substr(0, colon), names),
               Join(names, " and "));
}

Result<std::vector<Datum>> Session::RunLent(std::span<const LentTensor> inputs) {
  std::vector<Datum> data;
  data.reserve(inputs.size());
  for (const LentTensor& input : inputs)
    data.emplace_back(
        Tensor::View(input.dtype, Dims(input.dims, input.dims + input.rank), input.data, nullptr));
  return Run(std::move(data));
}

Status Session::RunInto(std::span<const LentTensor> inputs, std::span<const AnswerRoom> answers) {
  ATH_RETURN_IF_ERROR(CheckCount(graph(), answers));
  ATH_TRY(const std::vector<Datum> outputs, RunLent(inputs));
  for (std::size_t i = 0; i < outputs.size(); ++i)
    ATH_RETURN_IF_ERROR(CopyInto(graph().outputs()[i].name, outputs[i], answers[i]));
  return {};
}

Result<std::shared_ptr<const Plan>> Session::PlanFor(const std::vector<Type>&) {
  return Unsupported("this device makes no plans; cpu does");
}

Result<Profile> Session::RunProfiled(std::vector<Datum>) {
  return Unsupported("this device makes no plans; cpu does");
}

}  // namespace athanor
