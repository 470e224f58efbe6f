// Which threads go first when there are more than cores.
#pragma once

namespace athanor::serve {

// For threads that answer, not compute: they need the core briefly and at once. Takes effect where
// the system allows it (root or CAP_SYS_NICE); elsewhere nothing changes.
void PreferThisThread();

}  // namespace athanor::serve
