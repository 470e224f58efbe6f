// Results that outlive what they were made from.
#pragma once

#include <vector>

#include "core/datum.h"

namespace athanor {

// The same values in memory of their own.
Result<Datum> Copy(const Datum& datum);

// Copies every tensor whose memory nobody keeps: an input that the caller lent and the model passed
// through. The others share theirs.
Result<std::vector<Datum>> OwnMemory(std::vector<Datum> data);

}  // namespace athanor
