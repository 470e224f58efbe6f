// What a model cannot be written as, told apart from what cannot be read.
#pragma once

#include "core/status.h"

namespace athanor {

// One of ErrorCode's 2xxx: the model is right, what is to be written has no form for it.
inline constexpr ErrorCode kNotWritten{2401};

// The same problems, as ones of writing. What fails otherwise, as for want of room, stays.
Status OfWriting(const Status& status);

}  // namespace athanor
