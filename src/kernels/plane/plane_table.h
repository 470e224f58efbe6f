// Windows that slide over one plane at a time: depthwise convolution and pooling. Included by
// .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// A plane is first staged: padded, and the columns of a strided window sorted by their remainder,
// so that every tap of neighbouring outputs is a run of neighbouring elements.
struct PlaneGeometry {
  std::size_t in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  std::size_t kernel_h = 0, kernel_w = 0;
  std::size_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::size_t pad_top = 0, pad_left = 0;
  std::size_t rows = 0;   // staged
  std::size_t phase = 0;  // elements of one remainder in one staged row

  std::size_t staged_floats() const { return rows * stride_w * phase; }
  // Where the taps (ky, .) of output (oy, 0) begin, and tap kx among them.
  std::size_t Row(std::size_t oy, std::size_t ky) const {
    return (oy * stride_h + ky * dilation_h) * stride_w * phase;
  }
  std::size_t Column(std::size_t kx) const {
    const std::size_t col = kx * dilation_w;
    return col % stride_w * phase + col / stride_w;
  }
};

struct PlaneTable {
  void (*stage)(const PlaneGeometry& g, const float* x, float fill, float* staged) = nullptr;
  void (*depthwise)(const PlaneGeometry& g, const float* staged, const float* w, float bias,
                    float* y) = nullptr;
  // Of x itself; `staged`: room for it, which the commonest windows do not need.
  void (*max)(const PlaneGeometry& g, const float* x, float* staged, float* y) = nullptr;
  // Sums times a factor per output row and one per output column.
  void (*sum)(const PlaneGeometry& g, const float* staged, const float* row_factors,
              const float* col_factors, float* y) = nullptr;
  // The sum of n elements.
  float (*total)(const float* x, std::size_t n) = nullptr;
};

namespace base {
extern const PlaneTable kPlanes;
}
namespace avx2 {
extern const PlaneTable kPlanes;
}
namespace avx512 {
extern const PlaneTable kPlanes;
}

}  // namespace athanor::kernels
