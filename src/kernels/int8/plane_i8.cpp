#include "kernels/int8/plane_i8.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace athanor::kernels::int8 {

int FoldsOf(std::int64_t taps) {
  const auto unsigned_taps = static_cast<std::uint64_t>(taps);
  return std::bit_width(unsigned_taps) - (std::has_single_bit(unsigned_taps) ? 1 : 0);
}

PaddedPlane::PaddedPlane(const ops::WindowAxis& h, const ops::WindowAxis& w, std::uint8_t flip,
                         std::uint8_t fill)
    : h_(h), w_(w), flip_(flip), fill_(fill) {
  // As far as the last window reaches; pixels beyond it are never read.
  rows_ = (h.out - 1) * h.stride + (h.kernel - 1) * h.dilation + 1;
  window_ = {
      .row = static_cast<std::size_t>((w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1),
      .kernel_h = static_cast<std::size_t>(h.kernel),
      .kernel_w = static_cast<std::size_t>(w.kernel),
      .stride_h = static_cast<std::size_t>(h.stride),
      .stride_w = static_cast<std::size_t>(w.stride),
      .dilation_h = static_cast<std::size_t>(h.dilation),
      .dilation_w = static_cast<std::size_t>(w.dilation),
      .out_w = static_cast<std::size_t>(w.out)};
}

void PaddedPlane::Stage(const std::uint8_t* x, std::uint8_t* to) const {
  const auto width = static_cast<std::int64_t>(window_.row);
  const std::int64_t begin = std::min(w_.pad_begin, width);
  const std::int64_t count = std::clamp<std::int64_t>(width - begin, 0, w_.in);
  for (std::int64_t row = 0; row < rows_; ++row, to += width) {
    const std::int64_t y = row - h_.pad_begin;
    if (y < 0 || y >= h_.in) {
      std::fill_n(to, width, fill_);
      continue;
    }
    std::fill_n(to, begin, fill_);
    const std::uint8_t* from = x + y * w_.in;
    if (flip_ == 0) {
      std::memcpy(to + begin, from, static_cast<std::size_t>(count));
    } else {
      for (std::int64_t i = 0; i < count; ++i)
        to[begin + i] = static_cast<std::uint8_t>(from[i] ^ flip_);
    }
    std::fill_n(to + begin + count, width - begin - count, fill_);
  }
}

}  // namespace athanor::kernels::int8
