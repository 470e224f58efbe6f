#include "serve/service.h"

#include "serve/out_of_memory.h"

namespace athanor::serve {
namespace {

// What a tensor takes in memory: an empty string takes 32 bytes, and 3 or 4 in the request.
std::size_t MemoryOf(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString) return tensor.bytes();
  const std::size_t in_place = std::string().capacity();
  std::size_t bytes = 0;
  for (const std::string& text : tensor.Data<std::string>())
    bytes += sizeof(text) + (text.capacity() > in_place ? text.capacity() + 1 : 0);
  return bytes;
}

}  // namespace

Service::~Service() {
  if (control_thread_.joinable()) control_thread_.join();
}

// What counts these inputs until the last copy of it goes.
Result<std::shared_ptr<const void>> Service::Hold(std::span<const Tensor> inputs) {
  std::size_t bytes = 0;
  for (const Tensor& input : inputs) bytes += MemoryOf(input);
  const std::size_t before = held_bytes_->fetch_add(bytes);
  // Calls the function too when it cannot be made.
  std::shared_ptr<const void> held(
      nullptr, [count = held_bytes_, bytes](const void*) { count->fetch_sub(bytes); });
  if (before + bytes > max_held_bytes_) {
    return Error(ErrorCode::kResource,
                 "requests hold more than {} bytes of inputs; try again when some are answered",
                 max_held_bytes_);
  }
  return held;
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
    ATH_TRY(job->held, Hold(job->inputs));
    return {};
  };
  if (Status status = OrOutOfMemory(prepare); !status.ok()) {
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
  control_thread_ = std::thread([this, model, load, done = std::move(done)] {
    Status status =
        OrOutOfMemory([&] { return load ? repository_.Load(model) : repository_.Unload(model); });
    {
      const std::scoped_lock lock(control_mutex_);
      control_busy_ = false;
    }
    done(std::move(status));
  });
  control_busy_ = true;  // the thread waits for the lock before it says otherwise
}

}  // namespace athanor::serve
