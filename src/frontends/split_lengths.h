// How long the parts of a split are, as files say it.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace athanor {

// One of the lengths may be -1: what the others leave of `whole`, which must be known then.
Status CompleteLengths(std::vector<std::int64_t>& lengths, const Dim& whole);

}  // namespace athanor
