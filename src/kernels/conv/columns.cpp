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

void ColumnScatter::Add(const float* columns, std::int64_t row_stride, std::int64_t first,
                        std::int64_t count, float* plane) const {
  const std::int64_t last = first + count, length = along_.out;
  for (std::int64_t tap_row = 0; tap_row < tap_rows_; ++tap_row) {
    const std::int64_t* begins = begins_.data() + tap_row * rows_;
    for (std::int64_t tap = 0; tap < along_.kernel; ++tap, columns += row_stride) {
      const Range& inside = inside_[static_cast<std::size_t>(tap)];
      for (std::int64_t row = first / length; row * length < last; ++row) {
        if (begins[row] < 0) continue;
        const std::int64_t begin = std::max(inside.first, first - row * length);
        const std::int64_t end = std::min(inside.last, last - row * length);
        if (begin >= end) continue;
        table_->add(columns + row * length + begin - first, static_cast<std::size_t>(end - begin),
                    plane + begins[row] + along_.Position(begin, tap),
                    static_cast<std::size_t>(along_.stride));
      }
    }
  }
}

}  // namespace athanor::kernels
