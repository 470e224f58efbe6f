// Transposes between planes and blocks. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct ReorderTable {
  // n positions of up to one block of channels, whose planes lie `plane` floats apart.
  void (*into)(const float* planes, std::size_t plane, std::size_t channels, std::size_t n,
               float* blocks) = nullptr;
  void (*from)(const float* blocks, std::size_t plane, std::size_t channels, std::size_t n,
               float* planes) = nullptr;
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
