// Cast between the element types that kernels know: f32, f16, i8, u8, i32, i64, bool; and between
// f32 and f64.
#pragma once

#include "kernels/elementwise/cast_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> CastKernels();

const CastTable& Casts(Isa isa);

// Converts `count` elements, shared between threads; `from_bytes` and `to_bytes` are of one
// element.
void CastElements(const KernelArgs& args, CastFn cast, const void* from, std::int64_t from_bytes,
                  void* to, std::int64_t to_bytes, std::int64_t count);

}  // namespace athanor::kernels
