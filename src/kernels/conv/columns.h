// The way back from columns to an image, which transposed convolution and Col2Im share: a window
// slides over the image, and what its taps hold at every position is added to where they lie.
#pragma once

#include "kernels/conv/columns_table.h"
#include "kernels/kernel.h"
#include "ops/nn/window.h"

namespace athanor::kernels {

class ColumnScatter {
 public:
  // Whether the tables for these axes (`in`: the image, `out`: positions of the window) have a
  // reasonable size.
  static Fit Fits(std::span<const ops::WindowAxis> axes);

  ColumnScatter() = default;
  ColumnScatter(std::span<const ops::WindowAxis> axes, Isa isa);

  // Adds `count` columns, which belong to the positions from `first` on, to one plane. The row of a
  // tap is `count` long; the next tap's begins row_stride later.
  void Add(const float* columns, std::int64_t row_stride, std::int64_t first, std::int64_t count,
           float* plane) const;

 private:
  const ColumnTable* table_ = nullptr;
  ops::WindowAxis along_;      // the last axis
  std::int64_t rows_ = 1;      // positions of all other axes
  std::int64_t tap_rows_ = 1;  // taps of all other axes
  // Where the row of the plane begins that [tap row][row of positions] lies in; -1: outside.
  std::vector<std::int64_t> begins_;
  // Positions [first, last) of the last axis.
  struct Range {
    std::int64_t first = 0, last = 0;
  };
  std::vector<Range> inside_;  // at which a tap lies inside
  // Rows of positions, of each the same part.
  struct Segment {
    std::int64_t row = 0, rows = 0;
    Range part = {};
  };
  // What belongs to one row of taps.
  struct TapRow {
    const float* columns = nullptr;  // of the segment's first position and the first tap
    std::int64_t row_stride = 0;
    const std::int64_t* begins = nullptr;
    float* plane = nullptr;
  };
  void AddSegment(const TapRow& taps, const Segment& segment) const;
  // `part`: within the segment's.
  void AddTap(const TapRow& taps, const Segment& segment, std::int64_t tap, Range part) const;
  ColumnRows Rows(const TapRow& taps, const Segment& segment, std::int64_t tap, Range part) const;
};

}  // namespace athanor::kernels
