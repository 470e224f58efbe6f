// What an activation makes one value of needs no bytes of its own: before Swish, HardSwish, Sigmoid
// and their like a range ends where the function becomes flat, and the rest of it has finer steps.
#pragma once

#include "quant/candidates.h"
#include "quant/estimate.h"

namespace athanor::quant {

// Draws in the ends of the range of each value that only one such activation reads, as far as what
// the activation gives changes by no more than half a step of its own bytes, where that leaves out
// at least a twentieth of the range.
Status LeaveFlatEndsOut(const Graph& graph, const Candidates& candidates, Calibration& calibration);

}  // namespace athanor::quant
