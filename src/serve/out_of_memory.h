// Requests are as large as clients make them: one that does not fit into memory gets an error, and
// the server goes on.
#pragma once

#include <new>

#include "core/status.h"

namespace athanor::serve {

inline Status OutOfMemory() {
  return {ErrorCode::kResource, "there is not enough memory for this request"};
}

// What `f` gives, a Status or a Result; OutOfMemory() when it runs out of memory.
template <class F>
auto OrOutOfMemory(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return OutOfMemory();
  }
}

}  // namespace athanor::serve
