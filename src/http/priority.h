// Which threads go first when there are more than cores.
#pragma once

#include <cstddef>
#include <vector>

namespace athanor::http {

// For threads that wait and answer, not compute: they need the core briefly and at once, before
// workers and other programs. Takes effect where the system allows it (root or CAP_SYS_NICE);
// elsewhere nothing changes, and an answer may come a time slice (about 4 ms) later.
void PreferThisThread();

// Up to `most` cores that this process may run on; one at least.
std::vector<int> CoresOfThisProcess(std::size_t most);
// Keeps this thread on one core, where the system allows it.
void StayOn(int core);

}  // namespace athanor::http
