// Memory for the values of runs, kept between them whatever their shapes: as many pieces as runs
// went on at once, each as large as the largest that it has served. Thread-safe.
#pragma once

#include <mutex>
#include <vector>

#include "core/tensor.h"

namespace athanor {

class ArenaPool {
 public:
  // `bytes` or more, in sizes of which there are few, so that shapes that grow step by step do not
  // each ask for new memory.
  Result<Tensor> Take(std::int64_t bytes);
  void GiveBack(Tensor arena);

 private:
  std::mutex mutex_;
  std::vector<Tensor> free_;  // smallest first
};

}  // namespace athanor
