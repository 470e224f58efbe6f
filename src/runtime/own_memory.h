// Values that outlive what they were made from.
#pragma once

#include <vector>

#include "core/datum.h"

namespace athanor {

// The same values in memory of their own.
Result<Datum> Copy(const Datum& datum);

// The value, copied where nobody keeps its memory: it lies in the arena of a plan, or is an input
// that the caller lent.
Result<Datum> OwnMemory(Datum value);
Result<std::vector<Datum>> OwnMemory(std::vector<Datum> values);

}  // namespace athanor
