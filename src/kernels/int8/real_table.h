// Sums of products of bytes that become real numbers. Included by .isa.cpp files: no standard
// library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

// y = clamp((sums - offset) * scale + bias + residual), an entry per column of each. What is null
// adds nothing.
struct RealFinish {
  const std::int32_t* offset = nullptr;
  const float* scale = nullptr;
  const float* bias = nullptr;
  const float* residual = nullptr;
  float low = 0, high = 0;
};

struct RealTable {
  void (*finish)(const std::int32_t* sums, std::size_t n, const RealFinish& how,
                 float* y) = nullptr;
};

namespace base {
extern const RealTable kRealTable;
}
namespace avx2 {
extern const RealTable kRealTable;
}
namespace avx512 {
extern const RealTable kRealTable;
}
namespace vnni {
extern const RealTable kRealTable;
}

}  // namespace athanor::kernels::int8
