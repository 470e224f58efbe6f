// Elements of 4 bytes, and bytes, moved by shuffles of vectors. Included by .isa.cpp files: no
// standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct ShuffleTable {
  // to[r * to_stride + i] = from[r + i * from_stride] for r < rows, i < n
  void (*turn)(const void* from, std::size_t from_stride, void* to, std::size_t to_stride,
               std::size_t rows, std::size_t n) = nullptr;
  // to[r * 2 n + 2 i] = to[r * 2 n + 2 i + 1] = from[i] for i < n, r < rows
  void (*twice)(const void* from, std::size_t n, void* to, std::size_t rows) = nullptr;
  // to[i] = from[2 i] for i < n; reads nothing behind from[2 n - 2].
  void (*halve)(const void* from, std::size_t n, void* to) = nullptr;
  // Both of bytes.
  void (*bytes_twice)(const void* from, std::size_t n, void* to, std::size_t rows) = nullptr;
  void (*bytes_halve)(const void* from, std::size_t n, void* to) = nullptr;
};

namespace base {
extern const ShuffleTable kShuffles;
}
namespace avx2 {
extern const ShuffleTable kShuffles;
}
namespace avx512 {
extern const ShuffleTable kShuffles;
}

}  // namespace athanor::kernels
