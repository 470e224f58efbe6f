#include "serve/service.h"

namespace athanor::serve {

Service::~Service() {
  if (control_thread_.joinable()) control_thread_.join();
}

void Service::Infer(std::shared_ptr<Call> call, std::function<void(InferAnswer)> done) {
  auto job = std::make_shared<Job>();
  const auto prepare = [&]() -> Status {
    ATH_TRY(RepositoryEntry entry, repository_.Find(call->model, call->version));
    call->served = entry.model;
    job->model = entry.model;
    job->fallback = entry.fallback;
    job->line = entry.line;
    ATH_TRY(call->outputs, entry.model->BindOutputs(call->request.outputs));
    ATH_TRY(job->inputs, entry.model->Bind(call->request));
    return {};
  };
  if (Status status = prepare(); !status.ok()) {
    if (job->line != nullptr) job->line->metrics.fail.Add(Clock::now() - call->arrival);
    return done({std::move(status), {}, ""});
  }
  call->request.inputs.clear();
  job->arrival = call->arrival;
  job->deadline = call->deadline;
  const auto sooner = [&](std::chrono::microseconds timeout) {
    const Clock::time_point end = call->arrival + timeout;
    if (!job->deadline || end < *job->deadline) job->deadline = end;
  };
  if (job->line->deadline) sooner(*job->line->deadline);
  if (call->request.timeout) sooner(*call->request.timeout);
  job->done = std::move(done);
  scheduler_.Submit(std::move(job));
}

void Service::Control(const std::string& model, bool load, std::function<void(Status)> done) {
  if (!control_) {
    return done(Error(ErrorCode::kUsage, "loading and unloading models over the network is off")
                    .Fix("athanor serve --model-control ..."));
  }
  const std::scoped_lock lock(control_mutex_);
  if (control_busy_)
    return done(Error(ErrorCode::kCancelled, "another model is being loaded or unloaded"));
  if (control_thread_.joinable()) control_thread_.join();
  control_busy_ = true;
  control_thread_ = std::thread([this, model, load, done = std::move(done)] {
    Status status = load ? repository_.Load(model) : repository_.Unload(model);
    {
      const std::scoped_lock lock(control_mutex_);
      control_busy_ = false;
    }
    done(std::move(status));
  });
}

}  // namespace athanor::serve
