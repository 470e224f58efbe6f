#include "runtime/request_queue.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "runtime/own_memory.h"

namespace athanor {

struct Request::Shared {
  std::vector<Datum> inputs;
  RequestQueue::Done done;
  RunOptions options;
  std::atomic<bool> cancelled = false;
  std::atomic<bool> taken = false;  // by who will end it: a stream, or Cancel while it waits

  mutable std::mutex mutex;
  mutable std::condition_variable over;
  std::optional<Answer> answer;

  void End(Answer result) {
    inputs.clear();
    // Before the waiters wake: who has waited finds that `done` was called.
    if (done) done(result);
    done = {};
    const std::scoped_lock lock(mutex);
    answer = std::move(result);
    over.notify_all();
  }
};

void Request::Cancel() {
  shared_->cancelled = true;
  if (!shared_->taken.exchange(true)) shared_->End(shared_->options.MayGoOn());
}

bool Request::IsOver() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->answer.has_value();
}

bool Request::Wait(std::optional<std::chrono::steady_clock::time_point> until) const {
  std::unique_lock lock(shared_->mutex);
  const auto is_over = [this] { return shared_->answer.has_value(); };
  if (until) return shared_->over.wait_until(lock, *until, is_over);
  shared_->over.wait(lock, is_over);
  return true;
}

const Answer& Request::answer() const {
  const std::scoped_lock lock(shared_->mutex);
  ATH_CHECK(shared_->answer.has_value(), "the answer is read after Wait or IsOver");
  return *shared_->answer;
}

struct RequestQueue::Core {
  Session& session;
  const std::size_t longest_queue;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Request::Shared>> waiting;
  std::vector<std::shared_ptr<Request::Shared>> running;
  bool stop = false;
  std::vector<std::thread> streams;

  Core(Session& s, std::size_t longest) : session(s), longest_queue(longest) {}

  // The next request that nobody has cancelled; null when there will be none.
  std::shared_ptr<Request::Shared> Next() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stop || !waiting.empty(); });
      if (waiting.empty()) return nullptr;
      std::shared_ptr<Request::Shared> request = std::move(waiting.front());
      waiting.pop_front();
      if (request->taken.exchange(true)) continue;
      running.push_back(request);
      return request;
    }
  }

  // What the answer holds outlives the inputs.
  Answer Run(Request::Shared& request) {
    Status in_time = request.options.MayGoOn();
    if (in_time.code() == ErrorCode::kDeadline) {
      return std::move(in_time)
          .In("waiting for a stream")
          .Fix("a later deadline, more streams, or fewer requests at once");
    }
    ATH_RETURN_IF_ERROR(in_time);
    ATH_TRY(std::vector<Datum> outputs, session.Run(std::move(request.inputs), request.options));
    return OwnMemory(std::move(outputs));
  }

  void Stream() {
    while (const std::shared_ptr<Request::Shared> request = Next()) {
      request->End(Run(*request));
      const std::scoped_lock lock(mutex);
      std::erase(running, request);
    }
  }
};

RequestQueue::RequestQueue(Session& session, const RequestQueueOptions& options)
    : core_(std::make_unique<Core>(session, options.longest_queue)) {
  for (int i = 0; i < std::max(1, options.streams); ++i)
    core_->streams.emplace_back([this] { core_->Stream(); });
}

RequestQueue::~RequestQueue() {
  {
    const std::scoped_lock lock(core_->mutex);
    core_->stop = true;
    for (const auto& request : core_->waiting) request->cancelled = true;
    for (const auto& request : core_->running) request->cancelled = true;
    core_->changed.notify_all();
  }
  for (std::thread& stream : core_->streams) stream.join();
}

Result<Request> RequestQueue::Start(std::vector<Datum> inputs, Done done,
                                    std::optional<std::chrono::steady_clock::time_point> deadline) {
  ATH_RETURN_IF_ERROR(CheckInputs(core_->session.graph(), inputs));
  auto request = std::make_shared<Request::Shared>();
  request->inputs = std::move(inputs);
  request->done = std::move(done);
  request->options = RunOptions{.deadline = deadline, .cancelled = &request->cancelled}.FromNow();
  const std::scoped_lock lock(core_->mutex);
  if (core_->stop) return Error(ErrorCode::kCancelled, "the queue is being closed");
  // Those that were cancelled while they waited hold no place.
  std::erase_if(core_->waiting, [](const auto& other) { return other->taken.load(); });
  if (core_->waiting.size() >= core_->longest_queue) {
    return Error(ErrorCode::kResource, "{} requests wait already; no more are taken",
                 core_->waiting.size())
        .Fix("wait for one to end before the next is started, or allow a longer queue");
  }
  core_->waiting.push_back(request);
  core_->changed.notify_one();
  return Request(std::move(request));
}

}  // namespace athanor
