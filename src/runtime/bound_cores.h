// The calling thread on some cores only, for as long as the object lives. Threads that it starts
// meanwhile stay there.
#pragma once

#include <sched.h>

#include <vector>

namespace athanor {

// The cores this process may use, as the operating system numbers them.
const std::vector<int>& UsableCores();

// How many memories the machine has, each near to some of its cores (NUMA); 1 where it does not
// say.
int MemoryNodes();

class BoundToCores {
 public:
  // No cores: the thread stays where it is.
  explicit BoundToCores(const std::vector<int>& cores);
  ~BoundToCores();
  BoundToCores(const BoundToCores&) = delete;
  BoundToCores& operator=(const BoundToCores&) = delete;

 private:
  bool bound_ = false;
  cpu_set_t before_ = {};
};

}  // namespace athanor
