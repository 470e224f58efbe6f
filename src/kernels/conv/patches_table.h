// Gathers what a convolution multiplies. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels {

// One image and group of a 2-D convolution.
struct PatchGeometry {
  std::int32_t in_h = 0, in_w = 0, out_w = 0;
  std::int32_t kernel_w = 0;
  std::int32_t stride_h = 0, stride_w = 0;
  std::int32_t dilation_h = 0, dilation_w = 0;
  std::int32_t pad_top = 0, pad_left = 0;
  std::size_t channels = 0;  // of the group

  std::size_t plane() const {
    return static_cast<std::size_t>(in_h) * static_cast<std::size_t>(in_w);
  }
};

// Rows [k0, k0 + rows) of the patch matrix, columns [first, first + cols), as one zero-filled panel
// of the matrix kernel's width. Row k stands for tap k / channels and channel k % channels; a
// column for one output position. The matrix itself never exists.
using PackPatchesF32 = void (*)(const PatchGeometry& g, const float* x, std::size_t k0,
                                std::size_t rows, std::size_t first, std::size_t cols, float* to);

struct PatchTable {
  PackPatchesF32 pack = nullptr;
};

namespace base {
extern const PatchTable kPatches;
}
namespace avx2 {
extern const PatchTable kPatches;
}
namespace avx512 {
extern const PatchTable kPatches;
}

}  // namespace athanor::kernels
