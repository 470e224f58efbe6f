// From a picture to the tensor a network reads: scale, crop, channel order, y = (x - mean) / std,
// layout. Pixels are 0..255.
#pragma once

#include <optional>

#include "io/image.h"
#include "io/resize.h"

namespace athanor::io {

enum class Layout : std::uint8_t { kNchw, kNhwc };

struct Preprocess {
  // One value, or one per channel in the order the network sees.
  std::vector<double> mean = {0};
  std::vector<double> std = {1};
  bool bgr = false;
  // `resize_short` keeps the proportions, `resize` does not. A picture smaller than `crop` is
  // first scaled up so that the crop fits.
  std::optional<std::int64_t> resize_short = {};
  std::optional<Size> resize = {};
  std::optional<Size> crop = {};
};

// What the network's input looks like.
struct ImageInput {
  DType dtype = DType::kF32;
  Layout layout = Layout::kNchw;
  std::int64_t channels = 3;      // 1 or 3
  std::optional<Size> size = {};  // nothing: any
};

// The picture scaled and cropped, still u8; it has input.size when that is given.
Result<Tensor> FitImage(const Tensor& image, const Preprocess& steps, const ImageInput& input);

// [1, C, H, W] or [1, H, W, C]. Integer types are rounded and clamped to their range.
Result<Tensor> ToNetworkInput(const Tensor& image, const Preprocess& steps,
                              const ImageInput& input);

}  // namespace athanor::io
