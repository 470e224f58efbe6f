// Passes that change several nodes together and so cannot be written as rules.
#pragma once

#include "ir/graph.h"

namespace athanor::passes {

// Products of one value with several constant matrices become one product and a Split: one large
// matrix product is faster than several small ones. Likewise narrow convolutions of one geometry.
Result<int> MergeSiblings(Graph& graph);

// A 1x1 convolution with a stride reads only some places of its input: what comes before it need
// not compute the others. The stride moves up through elementwise nodes to the convolution before.
Result<int> PullStridesUp(Graph& graph);

// What comes before a Slice along a spatial axis computes only the places that are read.
Result<int> ComputeOnlyWhatIsRead(Graph& graph);

// Pure nodes on f16 compute in f32 and their results are not rounded in between: for machines whose
// kernels take products of f32 only. Inputs and outputs of the graph keep their types. Not one of
// the portable passes, which round where the model does.
Result<int> WidenHalves(Graph& graph);

}  // namespace athanor::passes
