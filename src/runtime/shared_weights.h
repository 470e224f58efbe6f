// What sessions of one model have in common: its graph after the passes, whose weights they read,
// and those weights packed for kernels. A second session then takes no more memory than its runs
// do.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/process_mutex.h"
#include "ir/graph.h"
#include "kernels/kernel.h"

namespace athanor {

struct GraphOptions;  // runtime/cpu_session.h

// Thread-safe.
class SharedWeights {
 public:
  SharedWeights() = default;
  ~SharedWeights();
  SharedWeights(const SharedWeights&) = delete;
  SharedWeights& operator=(const SharedWeights&) = delete;
  // GraphForPlans of the graph, made for the first session. Every session gives the same graph and
  // runs the passes or not; one that widens f16 has a graph of its own.
  Result<std::shared_ptr<const Graph>> Optimized(const Graph& graph, const GraphOptions& options);
  const std::shared_ptr<kernels::PackStore>& packs() const { return packs_; }

 private:
  // Once made, never changed. A fork that comes while another thread makes one finds nothing, or
  // all of it: one word is written.
  using Made = std::atomic<const std::shared_ptr<const Graph>*>;

  ProcessMutex mutex_;  // held by who makes one
  Made optimized_ = nullptr, widened_ = nullptr;
  const std::shared_ptr<kernels::PackStore> packs_ = std::make_shared<kernels::PackStore>();
};

// Of the sessions that there are of one model. Thread-safe.
class WeightsInUse {
 public:
  // What another session on the device holds, else something new. Where memory belongs to several
  // nodes, sessions on different devices have weights of their own.
  std::shared_ptr<SharedWeights> On(const std::string& device);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedWeights>> by_device_;
};

}  // namespace athanor
