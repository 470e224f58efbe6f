#include "io/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace athanor::io {
namespace {

// Weights are fixed point; 8 bits of a sample, 22 of a weight, two to spare in 32.
constexpr int kWeightBits = 22;

// One output sample is sum(weights[i] * in[first + i]).
struct Window {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

// The triangle filter, stretched by the scale when the picture shrinks.
std::vector<Window> Windows(std::int64_t in_size, std::int64_t out_size) {
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double stretch = std::max(scale, 1.0);
  const double support = stretch;
  std::vector<Window> windows(static_cast<std::size_t>(out_size));
  std::vector<double> weights;
  for (std::int64_t i = 0; i < out_size; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto last = std::min(in_size, static_cast<std::int64_t>(centre + support + 0.5));
    weights.clear();
    double sum = 0;
    for (std::int64_t k = first; k < last; ++k) {
      const double distance = std::fabs((static_cast<double>(k) - centre + 0.5) / stretch);
      weights.push_back(distance < 1 ? 1 - distance : 0);
      sum += weights.back();
    }
    Window& window = windows[static_cast<std::size_t>(i)];
    window.first = first;
    for (const double weight : weights)
      window.weights.push_back(static_cast<std::int32_t>(0.5 + weight / sum * (1 << kWeightBits)));
  }
  return windows;
}

std::uint8_t Round(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// `lines` independent rows of `in_size` samples, each of `step` interleaved channels.
void ScaleRows(const std::uint8_t* in, std::uint8_t* out, std::int64_t lines, std::int64_t in_size,
               std::int64_t step, const std::vector<Window>& windows) {
  const auto out_size = static_cast<std::int64_t>(windows.size());
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::uint8_t* row = in + line * in_size * step;
    std::uint8_t* to = out + line * out_size * step;
    for (const Window& window : windows) {
      for (std::int64_t c = 0; c < step; ++c) {
        std::int32_t sum = 1 << (kWeightBits - 1);
        const std::uint8_t* from = row + window.first * step + c;
        for (std::size_t k = 0; k < window.weights.size(); ++k)
          sum += from[static_cast<std::int64_t>(k) * step] * window.weights[k];
        *to++ = Round(sum);
      }
    }
  }
}

// Rows are `width` samples long; output row i mixes whole input rows.
void ScaleColumns(const std::uint8_t* in, std::uint8_t* out, std::int64_t width,
                  const std::vector<Window>& windows) {
  std::vector<std::int32_t> sums(static_cast<std::size_t>(width));
  for (const Window& window : windows) {
    std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));
    for (std::size_t k = 0; k < window.weights.size(); ++k) {
      const std::uint8_t* row = in + (window.first + static_cast<std::int64_t>(k)) * width;
      const std::int32_t weight = window.weights[k];
      for (std::size_t x = 0; x < sums.size(); ++x) sums[x] += row[x] * weight;
    }
    for (const std::int32_t sum : sums) *out++ = Round(sum);
  }
}

Status CheckImage(const Tensor& image) {
  if (image.dtype() != DType::kU8 || image.rank() != 3 || image.count() == 0) {
    return Error(ErrorCode::kInvalidInput,
                 "a picture u8[height, width, channels] is expected, {}{} is given",
                 Name(image.dtype()), ToString(image.dims()));
  }
  return {};
}

}  // namespace

Result<Tensor> Resize(const Tensor& image, Size size) {
  ATH_RETURN_IF_ERROR(CheckImage(image));
  constexpr std::int64_t kLongest = 1 << 16, kMostPixels = 1 << 27;
  const bool in_range = size.height >= 1 && size.width >= 1 && size.height <= kLongest &&
                        size.width <= kLongest && size.height * size.width <= kMostPixels &&
                        size.width <= kMostPixels / image.dim(0);
  if (!in_range) {
    return Error(ErrorCode::kInvalidInput, "a picture cannot be scaled to {} x {}", size.width,
                 size.height);
  }
  const std::int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  Tensor wide = image;
  if (size.width != width) {
    ATH_TRY(wide, Tensor::Allocate(DType::kU8, {height, size.width, channels}));
    ScaleRows(image.Data<std::uint8_t>().data(), wide.MutableData<std::uint8_t>().data(), height,
              width, channels, Windows(width, size.width));
  }
  if (size.height == height) return wide;
  ATH_TRY(Tensor out, Tensor::Allocate(DType::kU8, {size.height, size.width, channels}));
  ScaleColumns(wide.Data<std::uint8_t>().data(), out.MutableData<std::uint8_t>().data(),
               size.width * channels, Windows(height, size.height));
  return out;
}

Size ShortSideTo(Size size, std::int64_t side) {
  if (size.height <= 0 || size.width <= 0) return size;
  if (size.height <= size.width) return {side, side * size.width / size.height};
  return {side * size.height / size.width, side};
}

Result<Tensor> CentreCrop(const Tensor& image, Size size) {
  ATH_RETURN_IF_ERROR(CheckImage(image));
  const std::int64_t height = image.dim(0), width = image.dim(1), channels = image.dim(2);
  if (size.height < 1 || size.width < 1 || size.height > height || size.width > width) {
    return Error(ErrorCode::kInvalidInput, "a crop of {} x {} does not fit a picture of {} x {}",
                 size.width, size.height, width, height);
  }
  // Half a pixel goes to the end, as in most evaluation protocols (torchvision rounds to even).
  const std::int64_t top = (height - size.height) / 2, left = (width - size.width) / 2;
  ATH_TRY(Tensor out, Tensor::Allocate(DType::kU8, {size.height, size.width, channels}));
  const std::uint8_t* from = image.Data<std::uint8_t>().data();
  std::uint8_t* to = out.MutableData<std::uint8_t>().data();
  const auto row = static_cast<std::size_t>(size.width * channels);
  for (std::int64_t y = 0; y < size.height; ++y) {
    std::memcpy(to, from + ((top + y) * width + left) * channels, row);
    to += row;
  }
  return out;
}

}  // namespace athanor::io
