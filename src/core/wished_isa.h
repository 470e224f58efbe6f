// The instruction set that the environment asks for: ATHANOR_ISA=avx2 stands for a machine that has
// no more.
#pragma once

#include <optional>

#include "core/cpu.h"
#include "core/status.h"

namespace athanor {

// Nothing where nothing is asked for; UnknownName where that is no instruction set. Whoever opens a
// session asks, so that a wrong name is refused and not passed over.
Result<std::optional<Isa>> WishedIsa();

}  // namespace athanor
