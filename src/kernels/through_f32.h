// f16 by conversion: any kernel of f32 also serves nodes whose tensors are f16. Inputs are widened
// into scratch memory, the kernel computes in f32, results are rounded once at the end.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// One more kernel for every f32 kernel of an operator that computes, in order. `all` does not move
// any more: the new ones point to the old.
std::vector<KernelDef> ThroughF32Kernels(const std::vector<KernelDef>& all);

// The query with every f16 tensor as f32. Constants of up to `most` elements are widened, into
// `constants`; larger ones stay as they are. Nothing when no tensor is f16.
std::optional<KernelQuery> WidenedQuery(const KernelQuery& query, std::int64_t most,
                                        std::vector<Tensor>& constants);

}  // namespace athanor::kernels
