// Work on a thread of its own, even where threads may be refused.
#pragma once

#include <exception>
#include <functional>
#include <thread>

namespace athanor::serve {

// Runs `work` beside the caller, or before returning when no thread can be started: a server that
// is short of memory must still be able to stop.
inline std::jthread Beside(const std::function<void()>& work) {
  try {
    return std::jthread(work);
  } catch (const std::exception&) {  // std::system_error, std::bad_alloc
    work();
    return {};
  }
}

}  // namespace athanor::serve
