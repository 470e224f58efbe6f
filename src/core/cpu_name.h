// What the processor calls itself: measurements are good for one kind of processor.
#pragma once

#include <string>

namespace athanor {

// "AMD EPYC 7B13"; "unknown" when it does not say. Thread-safe.
std::string ProcessorName();

}  // namespace athanor
