// What every protocol offers: inference, readiness, and the control of models.
#pragma once

#include "serve/repository.h"

namespace athanor::serve {

class Service {
 public:
  // Loading and unloading over the network is refused unless `control`. The inputs of all requests
  // together take `max_held_bytes` at most, each until its run ends, also when that is long after a
  // default was sent; those that would take more are refused.
  Service(Repository& repository, Scheduler& scheduler, bool control,
          std::size_t max_held_bytes = std::size_t{1} << 30)
      : repository_(repository),
        scheduler_(scheduler),
        control_(control),
        max_held_bytes_(max_held_bytes) {}
  ~Service();

  // One request, as long as its answer is on the way.
  struct Call {
    std::string model, version;
    InferRequest request;
    Clock::time_point arrival = Clock::now();
    std::optional<Clock::time_point> deadline;  // the client's; the server's may be sooner

    // Set before `done`:
    std::shared_ptr<const ServedModel> served;
    std::vector<std::size_t> outputs;  // what to send, as indices of the model's outputs
  };
  // `done` is called once, from any thread, perhaps before this returns.
  void Infer(std::shared_ptr<Call> call, std::function<void(InferAnswer)> done);

  bool Ready() const { return !draining_.load() && repository_.AllReady(); }
  // From now on not ready; requests that still come are served.
  void Drain() { draining_.store(true); }

  // Runs on a thread of its own, one at a time.
  void Control(const std::string& model, bool load, std::function<void(Status)> done);

  Repository& repository() { return repository_; }

 private:
  Result<std::shared_ptr<const void>> Hold(std::span<const Tensor> inputs);

  Repository& repository_;
  Scheduler& scheduler_;
  const bool control_;
  const std::size_t max_held_bytes_;
  // A run that hangs may end after this.
  const std::shared_ptr<std::atomic<std::size_t>> held_bytes_ =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::atomic<bool> draining_ = false;
  std::mutex control_mutex_;
  bool control_busy_ = false;
  std::thread control_thread_;
};

}  // namespace athanor::serve
