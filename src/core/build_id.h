// Which build of the program this is: what one build keeps in a file for the next process, no other
// may read.
#pragma once

#include <string>

namespace athanor {

// The linker's digest of the program or library that this function is part of, in hexadecimal; ""
// when it wrote none. Thread-safe.
std::string BuildId();

}  // namespace athanor
