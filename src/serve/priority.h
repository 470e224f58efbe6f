// Which threads go first when there are more than cores.
#pragma once

namespace athanor::serve {

// For threads that wait and answer, not compute: they need the core briefly and at once, before
// workers and other programs. Takes effect where the system allows it (root or CAP_SYS_NICE);
// elsewhere nothing changes, and an answer may come a time slice (about 4 ms) later.
void PreferThisThread();

}  // namespace athanor::serve
