// Products of integer matrices. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// c[n] = sum over p of a[p] b[p, n]; sums wrap around.
using IntRow = void (*)(const void* a, const void* b, std::size_t k, std::size_t n, void* c);

struct IntGemmTable {
  IntRow i8 = nullptr, u8 = nullptr, i32 = nullptr, i64 = nullptr;
};

namespace base {
extern const IntGemmTable kIntGemm;
}
namespace avx2 {
extern const IntGemmTable kIntGemm;
}
namespace avx512 {
extern const IntGemmTable kIntGemm;
}

}  // namespace athanor::kernels
