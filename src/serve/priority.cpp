#include "serve/priority.h"

#include <sys/resource.h>
#include <unistd.h>

namespace athanor::serve {

void PreferThisThread() {
  constexpr int kNice = -10;
  // On Linux this is about one thread, not the whole process.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
}

}  // namespace athanor::serve
