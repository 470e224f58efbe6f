// Queues, batches and runs requests on worker threads, and keeps their deadlines.
//
// A request is answered exactly once: by the worker, or at its deadline by the timer with the
// declared default (or an error), even when every worker hangs. What has expired in the queue is
// never run; what comes too late is dropped and counted.
#pragma once

#include <list>
#include <thread>

#include "serve/deadline_timer.h"
#include "serve/default_answer.h"
#include "serve/metrics.h"
#include "serve/served_model.h"

namespace athanor::serve {

struct SchedulerOptions {
  int workers = 2;
  std::size_t max_queue = 1000;  // waiting requests per model
  std::chrono::microseconds batch_delay{0};
  // For tests of deadlines: each worker sleeps so long before each run.
  std::chrono::milliseconds injected_delay{0};
};

// What is shared by the requests of one model, over reloads too.
struct ModelLine {
  std::string name;
  ModelMetrics metrics;
  std::optional<std::chrono::microseconds> deadline;  // a request may only shorten it
};

struct Job;
using JobList = std::list<std::shared_ptr<Job>>;

// A request on its way.
struct Job {
  std::shared_ptr<const ServedModel> model;
  std::shared_ptr<const DefaultAnswer> fallback;  // null: none is declared
  std::shared_ptr<ModelLine> line;
  std::vector<Tensor> inputs;
  std::shared_ptr<const void> held;  // lets go of what the inputs are counted as
  Clock::time_point arrival = Clock::now();
  std::optional<Clock::time_point> deadline;
  std::function<void(InferAnswer)> done;  // from any thread, once

  // The scheduler's own:
  std::atomic<bool> answered = false;
  std::optional<DeadlineTimer::Token> alarm;
  JobList* queue = nullptr;  // where it waits
  JobList::iterator place;
};

class Scheduler {
 public:
  explicit Scheduler(const SchedulerOptions& options);
  // Waits for workers; see Stop.
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  void Submit(std::shared_ptr<Job> job);
  // Refuses new requests and answers those it has. False when a run did not end in time: its thread
  // is left behind, and only the end of the process ends it.
  bool Stop(std::chrono::milliseconds patience);

 private:
  struct Core;
  std::shared_ptr<Core> core_;  // a thread left behind keeps it
  std::vector<std::thread> threads_;
};

}  // namespace athanor::serve
