#include "runtime/shared_weights.h"

#include "runtime/bound_cores.h"
#include "runtime/cpu_session.h"

namespace athanor {

SharedWeights::~SharedWeights() {
  delete optimized_.load();
  delete widened_.load();
}

Result<std::shared_ptr<const Graph>> SharedWeights::Optimized(const Graph& graph,
                                                              const GraphOptions& options) {
  const std::scoped_lock lock(mutex_);
  Made& known = options.widen ? widened_ : optimized_;
  if (known == nullptr) {
    ATH_TRY(Graph made, GraphForPlans(graph, options));
    known = new std::shared_ptr<const Graph>(std::make_shared<const Graph>(std::move(made)));
  }
  return *known.load();
}

std::shared_ptr<SharedWeights> WeightsInUse::On(const std::string& device) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(by_device_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<SharedWeights>& known = by_device_[MemoryNodes() > 1 ? device : ""];
  std::shared_ptr<SharedWeights> weights = known.lock();
  if (weights == nullptr) known = weights = std::make_shared<SharedWeights>();
  return weights;
}

}  // namespace athanor
