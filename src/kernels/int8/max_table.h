// Maxima of windows of bytes, over rows and then along them. Included by .isa.cpp files: no
// standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

// What the largest bytes become: limited, then turned by `flip`.
struct MaxFinish {
  std::uint8_t low = 0, high = 255, flip = 0;
};

struct MaxTable {
  std::size_t lanes = 0;  // channels of a block
  std::size_t slack = 0;  // bytes that `along` reads and writes too far
  // y[i] = the largest of rows[r][i], turned by flip.
  void (*rows)(const std::uint8_t* const* rows, std::size_t count, std::size_t n, std::uint8_t flip,
               std::uint8_t* y) = nullptr;
  // y[i] = the largest of y[i], y[i + step] ... of `taps` bytes, i < n.
  void (*along)(std::uint8_t* y, std::size_t n, std::size_t step, std::size_t taps) = nullptr;
  // n positions, each `stride` further, of a block and of one element.
  void (*blocks)(const std::uint8_t* x, std::size_t n, std::size_t stride, const MaxFinish& how,
                 std::uint8_t* y) = nullptr;
  void (*elements)(const std::uint8_t* x, std::size_t n, std::size_t stride, const MaxFinish& how,
                   std::uint8_t* y) = nullptr;
};

namespace base {
extern const MaxTable kMaxima;
}
namespace avx2 {
extern const MaxTable kMaxima;
}
namespace avx512 {
extern const MaxTable kMaxima;
}
namespace vnni {
extern const MaxTable kMaxima;
}

}  // namespace athanor::kernels::int8
