// One kernel per instruction set from one description.
#pragma once

#include <vector>

#include "kernels/kernel.h"

namespace athanor::kernels {

// Adds `def` once per instruction set; its name is completed by that of the set: "Relu.f32" becomes
// "Relu.f32.avx512".
inline void AddForEveryIsa(std::vector<KernelDef>& defs, KernelDef def) {
  const std::string stem = std::move(def.name);
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) {
    def.name = fmt::format("{}.{}", stem, Name(isa));
    def.isa = isa;
    defs.push_back(def);
  }
}

}  // namespace athanor::kernels
