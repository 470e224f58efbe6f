// What a model cannot be written as, told apart from what cannot be read.
#pragma once

#include "core/status.h"

namespace athanor {

// The same problems, as ones of writing: ErrorCode::kNotWritten. What fails otherwise, as for want
// of room, stays.
Status OfWriting(const Status& status);

}  // namespace athanor
