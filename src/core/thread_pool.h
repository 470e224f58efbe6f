// A fixed set of threads that share out the iterations of a loop. The caller works too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace athanor {

class ThreadPool {
 public:
  // `threads` counts the calling thread: 1 starts none. 0 means one per core this process may use.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls body(begin, end) on disjoint ranges that cover [0, count), each at least `grain` long
  // except the last, and returns when all are done. Each thread begins with its own part of the
  // count, the same in every loop of that count, and then takes what others have left of theirs.
  // body must not throw. While one caller has the threads, a second one does its whole loop alone,
  // and so does a body that calls ParallelFor of the same pool.
  void ParallelFor(std::int64_t count, std::int64_t grain,
                   const std::function<void(std::int64_t, std::int64_t)>& body);
  // body(begin, end, thread): `thread` in [0, threads()) is different for ranges that run at the
  // same time in one call, so that each thread can have its own scratch memory.
  using IndexedBody = std::function<void(std::int64_t, std::int64_t, int)>;
  void ParallelForIndexed(std::int64_t count, std::int64_t grain, const IndexedBody& body);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace athanor
