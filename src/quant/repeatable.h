// Sessions whose numbers decide what is written.
#pragma once

#include "runtime/session.h"

namespace athanor::quant {

// Learned estimates know how many threads there are, and kernels differ in how they round: what is
// observed shall be the same on any number of them.
inline SessionOptions RepeatableOn(int threads, bool optimize = true) {
  return {.threads = threads, .optimize = optimize, .selector = Selector::kCost};
}

}  // namespace athanor::quant
