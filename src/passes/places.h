// What passes ask that follow places of a picture or a sequence through convolutions and
// element-wise nodes.
#pragma once

#include "passes/pattern.h"

namespace athanor::passes {

// On floats.
bool IsConv(const Graph& graph, NodeId id);
// Whether its attribute "pads" says how the convolution pads, or nothing does.
bool HasFixedPads(const Match& conv);
// One for each spatial axis, unless the rank is not known.
std::vector<std::int64_t> StridesOf(const Graph& graph, NodeId conv);
// Whether the node computes each place from that place of its inputs alone, all in the same way;
// constants are the same everywhere.
bool IsPlainElementwise(const Graph& graph, NodeId id);

}  // namespace athanor::passes
