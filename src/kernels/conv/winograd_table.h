// The transforms of Winograd's convolution for windows of 3 by 3. Included by .isa.cpp files: no
// standard library.
//
// F(m, 3) computes m by m outputs from (m + 2) by (m + 2) inputs with one product each, all
// channels of a block side by side.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// Where the results of one tile go.
struct WinogradOutput {
  const float* products = nullptr;  // one vector per tile element, `stride` floats apart
  std::size_t stride = 0;
  float* y = nullptr;  // rows lie row_stride floats apart
  std::size_t row_stride = 0;
  std::size_t rows = 0, cols = 0;  // how many of the m by m outputs exist
  const float* bias = nullptr;
  const float* residual = nullptr;  // lies like y
  bool clamp = false;
  float low = 0;
  float high = 0;
};

// One tile by the definition of a convolution, for a block of output channels.
struct WinogradDirect {
  const float* x = nullptr;           // the picture's first element
  std::size_t x_block = 0;            // floats from one block of channels to the next
  std::size_t in_channels = 0;        // how many of the blocks' channels exist
  std::size_t height = 0, width = 0;  // of the picture
  std::ptrdiff_t top = 0, left = 0;   // where the tile begins, in the padding perhaps
  std::size_t rows = 0, cols = 0;     // outputs that exist
  // The windows of `out_channels` channels, each with all its input channels, 9 floats each,
  // `distance` floats apart.
  const float* windows = nullptr;
  std::size_t distance = 0, out_channels = 0;
};

struct WinogradTable {
  // x: the first element of a whole tile, rows row_stride floats apart. Writes one vector per tile
  // element, `stride` floats apart.
  void (*input)(const float* x, std::size_t row_stride, float* to, std::size_t stride) = nullptr;
  // False when a product is infinite or not a number: outputs that it has no part in may be wrong.
  // Also when sums of the results come near the largest number.
  bool (*output)(const WinogradOutput& o) = nullptr;
  // What `output` gives, without products and rounding of its own; for when it gives false.
  void (*direct)(const WinogradDirect& d, const WinogradOutput& o) = nullptr;
  // The windows of up to a block of output channels, 9 floats each, `distance` floats apart. Writes
  // one vector per tile element, `stride` floats apart; channels that do not exist give zeros.
  void (*weights)(const float* windows, std::size_t distance, std::size_t channels, float* to,
                  std::size_t stride) = nullptr;
};

// For m = 2, 4, 6.
namespace base {
extern const WinogradTable kWinograd[3];
}
namespace avx2 {
extern const WinogradTable kWinograd[3];
}
namespace avx512 {
extern const WinogradTable kWinograd[3];
}

}  // namespace athanor::kernels
