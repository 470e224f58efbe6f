// Rows of products of integer matrices.
#include "kernels/gemm/int_table.h"
#include "kernels/simd.h"
#include "kernels/wrapping.h"

namespace athanor::kernels::ATH_ISA {
namespace {

template <class T>
void Row(const void* a, const void* b, std::size_t k, std::size_t n, void* c) {
  const T* x = static_cast<const T*>(a);
  const T* w = static_cast<const T*>(b);
  T* y = static_cast<T*>(c);
  for (std::size_t i = 0; i < n; ++i) y[i] = 0;
  for (std::size_t p = 0; p < k; ++p, w += n) {
    const T factor = x[p];
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) y[i] = WrapAdd(y[i], WrapMul(factor, w[i]));
  }
}

}  // namespace

extern const IntGemmTable kIntGemm = {.i8 = Row<std::int8_t>,
                                      .u8 = Row<std::uint8_t>,
                                      .i32 = Row<std::int32_t>,
                                      .i64 = Row<std::int64_t>};

}  // namespace athanor::kernels::ATH_ISA
