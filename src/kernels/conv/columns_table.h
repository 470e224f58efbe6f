// Adds a row of elements to every second, third, ... element of another. Included by .isa.cpp
// files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct ColumnTable {
  // y[i * stride] += x[i]. What lies between is read and written back: it belongs to the caller.
  void (*add)(const float* x, std::size_t n, float* y, std::size_t stride) = nullptr;
};

namespace base {
extern const ColumnTable kColumns;
}
namespace avx2 {
extern const ColumnTable kColumns;
}
namespace avx512 {
extern const ColumnTable kColumns;
}

}  // namespace athanor::kernels
