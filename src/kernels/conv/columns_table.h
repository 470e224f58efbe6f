// Adds rows of elements to every second, third, ... element of others. Included by .isa.cpp
// files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

// Rows of columns, `x_stride` apart, and where each begins in y; -1: nowhere.
struct ColumnRows {
  const float* x = nullptr;
  std::size_t x_stride = 0;
  std::size_t n = 0;  // elements of a row
  const std::int64_t* begins = nullptr;
  std::size_t rows = 0;
  float* y = nullptr;
};

struct ColumnTable {
  // y[begin + i * stride] += x[i]. What lies between is read and written back: it is the caller's.
  void (*add)(const ColumnRows& rows, std::size_t stride) = nullptr;
  // y[begin + 2 i] += x[i] and y[begin + 2 i + 1] += other[i]; `other`: rows that lie like those of
  // x.
  void (*add_pairs)(const ColumnRows& rows, const float* other) = nullptr;
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
