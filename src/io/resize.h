// Scaling and cropping of u8 pictures [height, width, channels].
#pragma once

#include "core/tensor.h"

namespace athanor::io {

struct Size {
  std::int64_t height = 0, width = 0;
  friend bool operator==(const Size&, const Size&) = default;
};

// Bilinear with a filter that widens when scaling down (antialiased): bit for bit what
// Pillow's Image.resize(..., BILINEAR) gives, which torchvision and most training scripts use.
Result<Tensor> Resize(const Tensor& image, Size size);

// The short side becomes `side`, the other follows; rounded down, as torchvision does.
Size ShortSideTo(Size size, std::int64_t side);

// The middle of the picture. The picture must be at least that large.
Result<Tensor> CentreCrop(const Tensor& image, Size size);

}  // namespace athanor::io
