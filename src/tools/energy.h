// The energy the processor packages have used, where the kernel lets us read it (RAPL).
#pragma once

#include <optional>

namespace athanor::tools {

// Joules since some start, summed over packages. Nothing when it cannot be read.
std::optional<double> PackageEnergy();

}  // namespace athanor::tools
