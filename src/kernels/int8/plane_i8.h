// One plane of bytes with its padding, ready for a sliding window.
#pragma once

#include "kernels/int8/table.h"
#include "ops/nn/window.h"

namespace athanor::kernels::int8 {

// How often MaxTable::along goes over its bytes for windows of so many taps.
int FoldsOf(std::int64_t taps);

class PaddedPlane {
 public:
  PaddedPlane() = default;
  // Pixels are flipped; `fill` (after flipping) stands in the padding.
  PaddedPlane(const ops::WindowAxis& h, const ops::WindowAxis& w, std::uint8_t flip,
              std::uint8_t fill);

  std::int64_t bytes() const { return rows_ * static_cast<std::int64_t>(window_.row) + kSlack; }
  const Window& window() const { return window_; }
  // Of the first tap of an output row.
  std::int64_t RowBegin(std::int64_t out_row) const {
    return out_row * h_.stride * static_cast<std::int64_t>(window_.row);
  }
  void Stage(const std::uint8_t* x, std::uint8_t* to) const;

 private:
  static constexpr std::int64_t kSlack = 192;  // vectors read beyond the last tap

  ops::WindowAxis h_, w_;
  Window window_;
  std::int64_t rows_ = 0;
  std::uint8_t flip_ = 0, fill_ = 0;
};

}  // namespace athanor::kernels::int8
