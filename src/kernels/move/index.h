// Picking and placing by index: Gather, GatherElements, GatherND, ScatterElements, ScatterND,
// TensorScatter, ReverseSequence.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> GatherKernels();
std::vector<KernelDef> ScatterKernels();

// An integer input whose values are indices: i32 or i64.
struct Indices {
  const void* data = nullptr;
  bool wide = true;

  std::int64_t operator[](std::int64_t i) const {
    return wide ? static_cast<const std::int64_t*>(data)[i]
                : static_cast<const std::int32_t*>(data)[i];
  }
};

inline bool IsIndex(const PortInfo& port) {
  return port.dtype == DType::kI64 || port.dtype == DType::kI32;
}

// Makes an index in [-size, size) non-negative; another one reports a data error and gives -1.
inline std::int64_t CheckedIndex(const KernelArgs& args, std::int64_t index, std::int64_t size) {
  const std::int64_t at = index < 0 ? index + size : index;
  if (at >= 0 && at < size) return at;
  args.data_error->store("an index is outside its axis", std::memory_order_relaxed);
  return -1;
}

}  // namespace athanor::kernels
