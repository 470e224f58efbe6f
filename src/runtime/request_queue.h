// Requests that run beside the caller: it hands one over, goes on, and is told of the answer.
//
// As many requests run at once as there are streams; the others wait in the order they came. The
// queue is bounded: a caller that is faster than the model is told so instead of filling memory.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "runtime/session.h"

namespace athanor {

using Answer = Result<std::vector<Datum>>;

// A request on its way. All calls are thread-safe.
class Request {
 public:
  // Ends it with Cancelled: at once when it waits, before its next node when it runs. Does nothing
  // when it is over.
  void Cancel();
  bool IsOver() const;
  // Until it is over, at most to `until`; whether it is.
  bool Wait(std::optional<std::chrono::steady_clock::time_point> until = {}) const;
  // Only when it is over.
  const Answer& answer() const;

 private:
  friend class RequestQueue;
  struct Shared;
  explicit Request(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<Shared> shared_;
};

struct RequestQueueOptions {
  int streams = 1;                  // requests that run at once
  std::size_t longest_queue = 256;  // requests that wait; one more is refused
};

class RequestQueue {
 public:
  // The session outlives the queue; give it as many streams, so that each request has its threads.
  RequestQueue(Session& session, const RequestQueueOptions& options);
  // Cancels what is left and waits for its end.
  ~RequestQueue();
  RequestQueue(const RequestQueue&) = delete;
  RequestQueue& operator=(const RequestQueue&) = delete;

  // Called once, by a stream's thread or the one that cancels, when the request is over. It may
  // start further requests; it must not wait for one.
  using Done = std::function<void(const Answer&)>;
  // Gives the request at once; Resource (ATH-4001) when the queue is full. What the inputs view
  // lives until the request is over. A deadline counts while it waits, too.
  Result<Request> Start(std::vector<Datum> inputs, Done done = {},
                        std::optional<std::chrono::steady_clock::time_point> deadline = {});

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

}  // namespace athanor
