#include "kernels/conv/columns.h"

#include <algorithm>

#include "kernels/divide.h"

namespace athanor::kernels {

Fit ColumnScatter::Fits(std::span<const ops::WindowAxis> axes) {
  constexpr std::int64_t kMost = 1 << 22;
  std::int64_t begins = 1;
  for (const ops::WindowAxis& axis : axes) {
    if (axis.out > kMost || axis.kernel > kMost) return Fit::No("an axis is too long");
    if (&axis != &axes.back()) begins *= std::max<std::int64_t>(1, axis.out) * axis.kernel;
    if (begins > kMost) return Fit::No("too many rows and taps");
  }
  return axes.empty() ? Fit::No("no spatial axis") : Fit::Yes();
}

ColumnScatter::ColumnScatter(std::span<const ops::WindowAxis> axes, Isa isa) : along_(axes.back()) {
  const ColumnTable* const tables[] = {&base::kColumns, &avx2::kColumns, &avx512::kColumns};
  table_ = tables[static_cast<std::size_t>(isa)];
  const std::span<const ops::WindowAxis> others = axes.first(axes.size() - 1);
  rows_ = ops::OutCount(others);
  tap_rows_ = ops::TapCount(others);
  for (std::int64_t tap = 0; tap < tap_rows_; ++tap) {
    for (std::int64_t row = 0; row < rows_; ++row) {
      std::int64_t rest_tap = tap, rest_row = row, scale = along_.in, begin = 0;
      bool inside = true;
      for (std::size_t a = others.size(); a-- > 0;) {
        const ops::WindowAxis& axis = others[a];
        const std::int64_t at = axis.Position(rest_row % axis.out, rest_tap % axis.kernel);
        inside = inside && axis.Inside(at);
        begin += at * scale;
        scale *= axis.in;
        rest_row /= axis.out;
        rest_tap /= axis.kernel;
      }
      begins_.push_back(inside ? begin : -1);
    }
  }
  for (std::int64_t tap = 0; tap < along_.kernel; ++tap) {
    const std::int64_t at = along_.Position(0, tap), stride = along_.stride;
    const std::int64_t first = at >= 0 ? 0 : CeilDivide(-at, stride);
    const std::int64_t last = at >= along_.in ? 0 : CeilDivide(along_.in - at, stride);
    inside_.push_back({first, std::min(last, along_.out)});
  }
}

ColumnRows ColumnScatter::Rows(const TapRow& taps, const Segment& segment, std::int64_t tap,
                               Range part) const {
  return {.x = taps.columns + tap * taps.row_stride + part.first - segment.part.first,
          .x_stride = static_cast<std::size_t>(along_.out),
          .n = static_cast<std::size_t>(part.last - part.first),
          .begins = taps.begins + segment.row,
          .rows = static_cast<std::size_t>(segment.rows),
          .y = taps.plane + along_.Position(part.first, tap)};
}

void ColumnScatter::AddTap(const TapRow& taps, const Segment& segment, std::int64_t tap,
                           Range part) const {
  const Range& inside = inside_[static_cast<std::size_t>(tap)];
  part = {std::max(part.first, inside.first), std::min(part.last, inside.last)};
  if (part.first < part.last)
    table_->add(Rows(taps, segment, tap, part), static_cast<std::size_t>(along_.stride));
}

// With a stride of 2, neighbouring taps fill the plane's rows without gaps, where both are inside.
void ColumnScatter::AddSegment(const TapRow& taps, const Segment& segment) const {
  const bool pairs = along_.stride == 2 && along_.dilation == 1;
  const Range all = segment.part;
  std::int64_t tap = 0;
  for (; pairs && tap + 1 < along_.kernel; tap += 2) {
    const Range &one = inside_[static_cast<std::size_t>(tap)],
                &two = inside_[static_cast<std::size_t>(tap + 1)];
    const Range both = {std::max({all.first, one.first, two.first}),
                        std::min({all.last, one.last, two.last})};
    if (both.first >= both.last) {
      AddTap(taps, segment, tap, all);
      AddTap(taps, segment, tap + 1, all);
      continue;
    }
    const ColumnRows rows = Rows(taps, segment, tap, both);
    table_->add_pairs(rows, rows.x + taps.row_stride);
    for (const std::int64_t single : {tap, tap + 1}) {
      AddTap(taps, segment, single, {all.first, both.first});
      AddTap(taps, segment, single, {both.last, all.last});
    }
  }
  for (; tap < along_.kernel; ++tap) AddTap(taps, segment, tap, all);
}

void ColumnScatter::Add(const float* columns, std::int64_t row_stride, std::int64_t first,
                        std::int64_t count, float* plane) const {
  const std::int64_t length = along_.out;
  const std::int64_t taps_stride = along_.kernel * row_stride;
  while (count > 0) {
    // A part of a row, or whole rows.
    const std::int64_t at = first % length;
    const std::int64_t rows = at == 0 ? std::max<std::int64_t>(1, count / length) : 1;
    const std::int64_t last = rows > 1 ? length : std::min(length, at + count);
    const Segment segment = {.row = first / length, .rows = rows, .part = {at, last}};
    for (std::int64_t tap_row = 0; tap_row < tap_rows_; ++tap_row) {
      AddSegment({.columns = columns + tap_row * taps_stride,
                  .row_stride = row_stride,
                  .begins = begins_.data() + tap_row * rows_,
                  .plane = plane},
                 segment);
    }
    const std::int64_t done = rows * (last - at);
    columns += done;
    first += done;
    count -= done;
  }
}

}  // namespace athanor::kernels
