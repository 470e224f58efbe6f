#include "serve/scheduler.h"

#include <algorithm>

#include "serve/out_of_memory.h"

namespace athanor::serve {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

// A search for partners in a long queue must not cost more than a run.
constexpr std::size_t kMostLookedAt = 256;
// Without memory for a list of requests a worker waits so long for others to let go of some.
constexpr std::chrono::milliseconds kMemoryPause{10};

bool SameShapes(const Job& a, const Job& b) {
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (a.inputs[i].dims() != b.inputs[i].dims()) return false;
  }
  return true;
}

std::int64_t RowsOf(const Job& job) { return job.model->has_rows() ? job.inputs[0].dim(0) : 1; }

std::uint64_t UnixMillis() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

}  // namespace

struct Scheduler::Core {
  explicit Core(const SchedulerOptions& options_in) : options(options_in) {}

  SchedulerOptions options;
  std::mutex mutex;  // guards all below but the timer
  std::condition_variable work;
  std::condition_variable idle;
  std::map<const ServedModel*, JobList> queues;
  std::size_t open = 0;  // requests that are not answered
  int workers_left = 0;
  bool stopping = false;
  DeadlineTimer timer;

  void Finish(Job& job, InferAnswer answer);
  bool Claim(Job& job);
  void Deliver(Job& job, InferAnswer answer);
  InferAnswer Fallback(const Job& job, std::string_view reason) const;
  void Expire(const std::shared_ptr<Job>& job);
  void Enqueue(const std::shared_ptr<Job>& job);
  void TakeOut(Job& job);
  std::vector<std::shared_ptr<Job>> TakeBatch(std::unique_lock<std::mutex>& lock);
  std::vector<JobList::iterator> Partners(JobList& queue) const;
  bool IsFull(JobList& queue) const;
  JobList* Ready(Clock::time_point now, Clock::time_point& next);
  void RunBatch(const std::vector<std::shared_ptr<Job>>& jobs);
  void Run(const std::vector<std::shared_ptr<Job>>& jobs);
  void RunAlone(Job& job);
  void Work();
};

// True for the one who may answer.
bool Scheduler::Core::Claim(Job& job) { return !job.answered.exchange(true); }

void Scheduler::Core::Deliver(Job& job, InferAnswer answer) {
  ModelMetrics& metrics = job.line->metrics;
  const nanoseconds time = Clock::now() - job.arrival;
  if (!answer.status.ok()) {
    metrics.fail.Add(time);
  } else if (answer.fallback == kDeadlineReason) {
    ++metrics.defaults_deadline;
  } else if (answer.fallback == kQueueFullReason) {
    ++metrics.defaults_queue_full;
  } else {
    metrics.success.Add(time);
  }
  metrics.latency.Add(std::chrono::duration<double>(time).count());
  // Let go of the connection even when a worker keeps the job for ever.
  const auto done = std::exchange(job.done, nullptr);
  const bool is_due = answer.fallback == kDeadlineReason;
  try {
    done(std::move(answer));
  } catch (const std::bad_alloc&) {
    // Not even an error could be said: `done` goes, and the connection with it.
  }
  if (is_due) {
    const std::chrono::duration<double> late = Clock::now() - *job.deadline;
    metrics.lateness.Add(std::max(late.count(), 0.0));
  }
  const std::scoped_lock lock(mutex);
  if (--open == 0) idle.notify_all();
}

void Scheduler::Core::Finish(Job& job, InferAnswer answer) {
  if (!Claim(job)) {
    ++job.line->metrics.late;
    return;
  }
  if (job.alarm) timer.Cancel(*job.alarm);
  Deliver(job, std::move(answer));
}

InferAnswer Scheduler::Core::Fallback(const Job& job, std::string_view reason) const {
  if (job.fallback == nullptr) {
    if (reason == kQueueFullReason) {
      return {Error(ErrorCode::kCancelled, "the queue of model \"{}\" is full ({} requests wait)",
                    job.line->name, options.max_queue),
              {},
              ""};
    }
    const std::chrono::duration<double, std::milli> allowed = *job.deadline - job.arrival;
    const std::chrono::duration<double, std::milli> spent = Clock::now() - job.arrival;
    return {Error(ErrorCode::kDeadline,
                  "model \"{}\" gave no answer: {:.4g} ms were allowed, {:.4g} ms have passed",
                  job.line->name, allowed.count(), spent.count())
                .Fix("a later deadline, or a default answer for the model (--default)"),
            {},
            ""};
  }
  Result<std::vector<Tensor>> outputs =
      OrOutOfMemory([&] { return job.fallback->Outputs(RowsOf(job)); });
  if (!outputs.ok()) return {std::move(outputs).status(), {}, ""};
  return {{}, *std::move(outputs), reason};
}

// All that may run out of memory comes before anything that lasts.
void Scheduler::Core::Enqueue(const std::shared_ptr<Job>& job) {
  JobList one = {job};
  // The alarm waits for the lock, so it finds the request in its queue.
  if (job->deadline) job->alarm = timer.Add(*job->deadline, [this, job] { Expire(job); });
  JobList& queue = queues[job->model.get()];
  queue.splice(queue.end(), one);
  job->queue = &queue;
  job->place = std::prev(queue.end());
  job->line->metrics.pending.fetch_add(1, std::memory_order_relaxed);
}

void Scheduler::Core::TakeOut(Job& job) {
  if (job.queue == nullptr) return;
  JobList* queue = std::exchange(job.queue, nullptr);
  job.line->metrics.pending.fetch_sub(1, std::memory_order_relaxed);
  queue->erase(job.place);
  if (queue->empty()) queues.erase(job.model.get());
}

void Scheduler::Core::Expire(const std::shared_ptr<Job>& job) {
  {
    const std::scoped_lock lock(mutex);
    if (!Claim(*job)) return;
    TakeOut(*job);
  }
  Deliver(*job, Fallback(*job, kDeadlineReason));
}

// The first request of a queue and those that can be stacked on it: a power of two of them, so that
// few plans serve all batches.
std::vector<JobList::iterator> Scheduler::Core::Partners(JobList& queue) const {
  const Job& first = *queue.front();
  std::vector<JobList::iterator> found = {queue.begin()};
  const std::int64_t rows = std::max<std::int64_t>(RowsOf(first), 1);
  const std::int64_t most = first.model->max_batch() / rows;
  std::size_t looked_at = 0;
  for (auto it = std::next(queue.begin()); it != queue.end() && looked_at < kMostLookedAt;
       ++it, ++looked_at) {
    if (static_cast<std::int64_t>(found.size()) >= most) break;
    if (SameShapes(first, **it)) found.push_back(it);
  }
  std::size_t power = 1;
  while (power * 2 <= found.size()) power *= 2;
  found.resize(power);
  return found;
}

// No request more of this kind would fit into the next run.
bool Scheduler::Core::IsFull(JobList& queue) const {
  const Job& first = *queue.front();
  return static_cast<std::int64_t>(Partners(queue).size() + 1) *
             std::max<std::int64_t>(RowsOf(first), 1) >
         first.model->max_batch();
}

// Of the queues that need not wait for company, the one whose first request is oldest; null when
// all wait, then `next` is when the first of them need not any more.
JobList* Scheduler::Core::Ready(Clock::time_point now, Clock::time_point& next) {
  JobList* oldest = nullptr;
  for (auto& [model, queue] : queues) {
    const Clock::time_point arrival = queue.front()->arrival;
    if (oldest != nullptr && oldest->front()->arrival <= arrival) continue;
    const Clock::time_point patience = arrival + options.batch_delay;
    if (stopping || now >= patience || IsFull(queue))
      oldest = &queue;
    else
      next = std::min(next, patience);
  }
  return oldest;
}

std::vector<std::shared_ptr<Job>> Scheduler::Core::TakeBatch(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (queues.empty()) {
      if (stopping) return {};
      work.wait(lock);
      continue;
    }
    Clock::time_point next = Clock::time_point::max();
    JobList* const queue = Ready(Clock::now(), next);
    if (queue == nullptr) {
      work.wait_until(lock, next);
      continue;
    }
    const std::vector<JobList::iterator> partners = Partners(*queue);
    std::vector<std::shared_ptr<Job>> jobs;
    for (const JobList::iterator& it : partners) jobs.push_back(*it);
    for (const std::shared_ptr<Job>& job : jobs) TakeOut(*job);
    if (!queues.empty()) work.notify_one();
    return jobs;
  }
}

void Scheduler::Core::RunAlone(Job& job) {
  const Clock::time_point begin = Clock::now();
  Result<std::vector<Tensor>> outputs = OrOutOfMemory([&] { return job.model->Run(job.inputs); });
  job.line->metrics.compute_infer.Add(Clock::now() - begin);
  job.line->metrics.runs += 1;
  job.line->metrics.batch.Add(static_cast<double>(RowsOf(job)));
  if (outputs.ok()) {
    job.line->metrics.rows += static_cast<std::uint64_t>(RowsOf(job));
    Finish(job, {{}, *std::move(outputs), ""});
  } else {
    Finish(job, {std::move(outputs).status(), {}, ""});
  }
}

void Scheduler::Core::RunBatch(const std::vector<std::shared_ptr<Job>>& jobs) {
  auto& running = jobs[0]->line->metrics.running;
  running.fetch_add(static_cast<std::int64_t>(jobs.size()), std::memory_order_relaxed);
  try {
    Run(jobs);
  } catch (const std::bad_alloc&) {
    for (const std::shared_ptr<Job>& job : jobs) {
      if (!job->answered.load()) Finish(*job, {OutOfMemory(), {}, ""});
    }
  }
  running.fetch_sub(static_cast<std::int64_t>(jobs.size()), std::memory_order_relaxed);
}

void Scheduler::Core::Run(const std::vector<std::shared_ptr<Job>>& jobs) {
  ModelMetrics& metrics = jobs[0]->line->metrics;
  const Clock::time_point begin = Clock::now();
  for (const std::shared_ptr<Job>& job : jobs) metrics.queue.Add(begin - job->arrival);
  metrics.last_inference_ms = UnixMillis();
  if (options.injected_delay.count() > 0) std::this_thread::sleep_for(options.injected_delay);
  if (jobs.size() == 1) return RunAlone(*jobs[0]);
  std::vector<const std::vector<Tensor>*> inputs;
  for (const std::shared_ptr<Job>& job : jobs) inputs.push_back(&job->inputs);
  auto answers = OrOutOfMemory([&] { return jobs[0]->model->RunStacked(inputs); });
  if (!answers.ok()) {
    // One request may be wrong, or all together too large: each gets its own answer.
    for (const std::shared_ptr<Job>& job : jobs) RunAlone(*job);
    return;
  }
  const auto rows = static_cast<std::uint64_t>(RowsOf(*jobs[0])) * jobs.size();
  metrics.compute_infer.Add(Clock::now() - begin);
  metrics.runs += 1;
  metrics.rows += rows;
  metrics.batch.Add(static_cast<double>(rows));
  for (std::size_t i = 0; i < jobs.size(); ++i)
    Finish(*jobs[i], {{}, std::move((*answers)[i]), ""});
}

void Scheduler::Core::Work() {
  std::unique_lock lock(mutex);
  for (;;) {
    std::vector<std::shared_ptr<Job>> jobs;
    try {
      jobs = TakeBatch(lock);
    } catch (const std::bad_alloc&) {
      work.wait_for(lock, kMemoryPause);
      continue;
    }
    if (jobs.empty()) break;
    lock.unlock();
    RunBatch(jobs);
    jobs.clear();  // what they hold goes outside the lock
    lock.lock();
  }
  --workers_left;
  idle.notify_all();
}

Scheduler::Scheduler(const SchedulerOptions& options) : core_(std::make_shared<Core>(options)) {
  core_->workers_left = options.workers;
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([core = core_] { core->Work(); });
}

Scheduler::~Scheduler() { Stop(std::chrono::seconds(10)); }

void Scheduler::Submit(std::shared_ptr<Job> job) {
  Core& core = *core_;
  std::unique_lock lock(core.mutex);
  ++core.open;
  if (core.stopping) {
    lock.unlock();
    return core.Finish(*job, {Error(ErrorCode::kCancelled, "the server is stopping"), {}, ""});
  }
  const auto waiting = core.queues.find(job->model.get());
  if (waiting != core.queues.end() && waiting->second.size() >= core.options.max_queue) {
    lock.unlock();
    if (job->fallback == nullptr) ++job->line->metrics.rejected;
    return core.Finish(*job, core.Fallback(*job, kQueueFullReason));
  }
  try {
    core.Enqueue(job);
  } catch (const std::bad_alloc&) {
    lock.unlock();
    return core.Finish(*job, {OutOfMemory(), {}, ""});
  }
  core.work.notify_one();
}

bool Scheduler::Stop(std::chrono::milliseconds patience) {
  if (threads_.empty()) return true;
  Core& core = *core_;
  std::unique_lock lock(core.mutex);
  core.stopping = true;
  core.work.notify_all();
  const bool ended =
      core.idle.wait_for(lock, patience, [&] { return core.workers_left == 0 && core.open == 0; });
  lock.unlock();
  for (std::thread& thread : threads_) ended ? thread.join() : thread.detach();
  threads_.clear();
  return ended;
}

}  // namespace athanor::serve
