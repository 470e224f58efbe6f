// Transposes between planes and blocks. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

template <class T>
struct ReorderOf {
  // n positions of up to one block of channels, whose planes lie `plane` elements apart.
  void (*into)(const T* planes, std::size_t plane, std::size_t channels, std::size_t n,
               T* blocks) = nullptr;
  void (*from)(const T* blocks, std::size_t plane, std::size_t channels, std::size_t n,
               T* planes) = nullptr;
};

struct ReorderTable {
  ReorderOf<float> floats;
  ReorderOf<std::uint8_t> bytes;
};

namespace base {
extern const ReorderTable kReorder;
}
namespace avx2 {
extern const ReorderTable kReorder;
}
namespace avx512 {
extern const ReorderTable kReorder;
}

}  // namespace athanor::kernels
