#include "core/thread_pool.h"

#include <sched.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "core/cpu.h"

namespace athanor {
namespace {

// 20 to 100 us of polling before a worker sleeps: kernels follow each other faster than a wake-up.
constexpr int kSpins = 4000;
constexpr int kNowhere = -1;
// Masks of sleeping workers follow a caller that moves, two system calls each: with many cores a
// thread that wakes up beside its caller is unlikely, and that many calls would cost more.
constexpr int kMostCores = 8;

// The bits of the control register that say which exceptions there were: each thread's own.
constexpr unsigned kRaised = 0x3F;

// The part of a loop that one thread begins with: the same part of each loop, so that what a thread
// wrote in one is in its cache for the next.
struct alignas(64) Share {
  std::atomic<std::int64_t> next = 0;
  std::int64_t end = 0;
};

// Keeps a worker that sleeps away from the core of the caller that will wake it. Linux starts a
// woken thread beside the one that woke it when no other core seems to be idle; in a virtual
// machine a core that has slept for a millisecond does not seem so, and the worker would begin at
// the next tick, up to 4 ms later (ADR 0056). A mask that somebody else has set is left alone.
class alignas(64) SleepingPlace {
 public:
  // The three of the worker itself. `whole`: where the pool's threads may run.
  void Own(const cpu_set_t& whole) {
    whole_ = whole;
    thread_ = gettid();
  }
  void Enter(int caller) {
    if (MaskIs(whole_)) Avoid(caller);
  }
  void Leave() {
    // Seldom written, as callers read it in each loop.
    if (avoided_.load(std::memory_order_relaxed) == kNowhere) return;
    const int avoided = avoided_.exchange(kNowhere);
    if (avoided != kNowhere && MaskIs(Without(avoided)))
      sched_setaffinity(thread_, sizeof whole_, &whole_);
  }
  // Of the caller, who may have moved since the worker went to sleep. A fork has no workers.
  void Follow(int caller) {
    const int avoided = avoided_.load(std::memory_order_acquire);
    if (avoided == kNowhere || avoided == caller || getpid() != process_) return;
    if (MaskIs(Without(avoided))) Avoid(caller);
  }

 private:
  bool MaskIs(const cpu_set_t& wanted) const {
    cpu_set_t now;
    return sched_getaffinity(thread_, sizeof now, &now) == 0 && CPU_EQUAL(&now, &wanted);
  }
  cpu_set_t Without(int core) const {
    cpu_set_t others = whole_;
    CPU_CLR(static_cast<std::size_t>(core), &others);
    return others;
  }
  void Avoid(int core) {
    if (core < 0 || core >= CPU_SETSIZE) return;
    const cpu_set_t others = Without(core);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(thread_, sizeof others, &others) != 0) return;
    avoided_.store(core, std::memory_order_release);
  }

  cpu_set_t whole_ = {};
  const pid_t process_ = getpid();
  pid_t thread_ = 0;
  std::atomic<int> avoided_ = kNowhere;  // a core, while the worker sleeps
};

}  // namespace

struct ThreadPool::Shared {
  std::atomic<bool> taken = false;  // by the one caller whose loop the workers share
  std::vector<std::thread> workers;
  const pid_t process = getpid();             // a fork has the pool, but not its workers
  std::atomic<std::uint64_t> generation = 0;  // counts loops; workers sleep on it
  std::atomic<bool> stop = false;
  std::vector<Share> shares;          // one per thread
  std::vector<SleepingPlace> places;  // one per worker
  std::atomic<int> core = kNowhere;   // of the last caller
  // A loop is done when it is closed and nobody is inside: a worker that wakes up too late finds it
  // closed, so the caller never waits for one that has not begun.
  std::atomic<bool> open = false;
  std::atomic<int> inside = 0;
  std::int64_t chunk = 1;
  const IndexedBody* body = nullptr;
  unsigned arithmetic = 0;  // the caller's rounding, and what it does about tiny numbers

  // Cuts [0, count) into one share per thread, each a run of whole chunks.
  void Divide(std::int64_t count) {
    const std::int64_t chunks = (count + chunk - 1) / chunk, threads = std::ssize(shares);
    for (std::int64_t t = 0; t < threads; ++t) {
      Share& share = shares[static_cast<std::size_t>(t)];
      share.next.store(chunks * t / threads * chunk, std::memory_order_relaxed);
      share.end = std::min(chunks * (t + 1) / threads * chunk, count);
    }
  }

  // The thread's own share, then what others have left of theirs.
  void Drain(int thread) {
    const auto own = static_cast<std::size_t>(thread);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      Share& share = shares[(own + i) % shares.size()];
      for (;;) {
        const std::int64_t begin = share.next.fetch_add(chunk, std::memory_order_relaxed);
        if (begin >= share.end) break;
        (*body)(begin, std::min(begin + chunk, share.end), thread);
      }
    }
  }

  // Wakes who sleeps.
  void Call() {
    const int now = sched_getcpu();
    // Workers poll the same cache line: it is written only when there is something new.
    if (core.load(std::memory_order_relaxed) != now) core.store(now, std::memory_order_relaxed);
    for (SleepingPlace& place : places) place.Follow(now);
    generation.fetch_add(1, std::memory_order_release);
    generation.notify_all();
  }

  void WaitForCall(std::uint64_t seen, SleepingPlace& place) {
    for (int spin = 0; spin < kSpins && generation.load(std::memory_order_acquire) == seen; ++spin)
      __builtin_ia32_pause();
    if (generation.load(std::memory_order_acquire) != seen) return;
    place.Enter(core.load(std::memory_order_relaxed));
    generation.wait(seen, std::memory_order_acquire);
  }

  void Work(int thread, const cpu_set_t& whole) {
    SleepingPlace& place = places[static_cast<std::size_t>(thread - 1)];
    place.Own(whole);
    std::uint64_t seen = 0;
    for (;;) {
      WaitForCall(seen, place);
      seen = generation.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_relaxed)) return;
      inside.fetch_add(1);
      if (open.load()) {
        if (arithmetic != (_mm_getcsr() & ~kRaised)) _mm_setcsr(arithmetic);
        Drain(thread);
      }
      if (inside.fetch_sub(1) == 1) inside.notify_all();
      place.Leave();  // now that nobody waits
    }
  }
};

ThreadPool::ThreadPool(int threads) : shared_(std::make_unique<Shared>()) {
  if (threads <= 0) threads = Cpu().cores;
  shared_->shares = std::vector<Share>(static_cast<std::size_t>(threads));
  shared_->places = std::vector<SleepingPlace>(shared_->shares.size() - 1);
  cpu_set_t whole = {};  // empty: masks stay as they are
  if (sched_getaffinity(0, sizeof whole, &whole) != 0 || CPU_COUNT(&whole) > kMostCores)
    CPU_ZERO(&whole);
  for (int i = 1; i < threads; ++i)
    shared_->workers.emplace_back([this, i, whole] { shared_->Work(i, whole); });
}

ThreadPool::~ThreadPool() {
  if (getpid() != shared_->process) {
    // Nobody is there to be joined, and nothing may be asked of their handles: they are left
    // behind.
    static_cast<void>(new std::vector<std::thread>(std::move(shared_->workers)));
    return;
  }
  shared_->stop = true;
  shared_->generation.fetch_add(1, std::memory_order_release);
  shared_->generation.notify_all();
  for (std::thread& worker : shared_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(shared_->workers.size()) + 1; }

void ThreadPool::ParallelFor(std::int64_t count, std::int64_t grain,
                             const std::function<void(std::int64_t, std::int64_t)>& body) {
  const auto indexed = [&body](std::int64_t begin, std::int64_t end, int) { body(begin, end); };
  ParallelForIndexed(count, grain, std::cref(indexed));
}

void ThreadPool::ParallelForIndexed(std::int64_t count, std::int64_t grain,
                                    const IndexedBody& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  Shared& s = *shared_;
  // No mutex: the caller that holds the workers may come here again from inside its own loop.
  if (s.workers.empty() || count <= grain || s.taken.exchange(true, std::memory_order_acquire)) {
    body(0, count, 0);
    return;
  }
  s.body = &body;
  s.arithmetic = _mm_getcsr() & ~kRaised;
  // A few chunks per thread, so that a busy core does not hold up the others.
  s.chunk = std::max(grain, count / (4 * static_cast<std::int64_t>(threads())));
  s.Divide(count);
  s.open.store(true);
  s.Call();
  s.Drain(0);
  s.open.store(false);
  for (int left = s.inside.load(); left != 0; left = s.inside.load()) {
    for (int spin = 0; spin < kSpins && s.inside.load() != 0; ++spin) __builtin_ia32_pause();
    left = s.inside.load();
    if (left != 0) s.inside.wait(left);
  }
  s.taken.store(false, std::memory_order_release);
}

}  // namespace athanor
