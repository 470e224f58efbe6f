#include "runtime/bound_cores.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace athanor {

const std::vector<int>& UsableCores() {
  static const std::vector<int> cores = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::vector<int> usable;
    // Of the process: this thread may be bound to some of them.
    if (sched_getaffinity(getpid(), sizeof(set), &set) != 0) return usable;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) usable.push_back(core);
    }
    return usable;
  }();
  return cores;
}

int MemoryNodes() {
  static const int nodes = [] {
    int count = 0;
    std::error_code unknown;
    for (const auto& entry :
         std::filesystem::directory_iterator("/sys/devices/system/node", unknown)) {
      const std::string name = entry.path().filename().string();
      count += name.starts_with("node") && name.size() > 4 && name[4] >= '0' && name[4] <= '9';
    }
    return std::max(1, count);
  }();
  return nodes;
}

BoundToCores::BoundToCores(const std::vector<int>& cores) {
  if (cores.empty() || sched_getaffinity(0, sizeof(before_), &before_) != 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  // Refused where a core was taken from the process meanwhile: the work is done elsewhere then.
  bound_ = sched_setaffinity(0, sizeof(set), &set) == 0;
}

BoundToCores::~BoundToCores() {
  if (bound_) sched_setaffinity(0, sizeof(before_), &before_);
}

}  // namespace athanor
