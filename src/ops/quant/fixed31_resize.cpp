// Bilinear resizing on integers. The original computes signed bytes with 10 fractional bits of
// position and unsigned bytes in f32; both cut or round in their own way.
#include <algorithm>
#include <cmath>

#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

struct Fixed31ResizeAttrs {
  std::optional<std::vector<std::int64_t>> axes;
  std::string coordinates = "half_pixel";
  std::string mode = "nearest";
  template <class V>
  void Visit(V& v) {
    v("axes", axes, "");
    v("coordinate_transformation_mode", coordinates, "");
    v("mode", mode, "");
  }
};

// Where an output position lies between two inputs: `first` and `second`, and how far.
template <class T>
struct Between {
  std::int64_t first = 0, second = 0;
  T fraction = 0;
};

constexpr std::int64_t kOne = 1 << 10;  // 1 as a position with 10 fractional bits

std::vector<Between<std::int64_t>> FixedPositions(std::int64_t in, std::int64_t out,
                                                  const std::string& mode) {
  const bool corners = mode == "align_corners" && out > 1;
  const std::int64_t scale =
      corners ? (kOne * (in - 1) + (out - 1) / 2) / (out - 1) : (kOne * in + out / 2) / out;
  std::vector<Between<std::int64_t>> positions;
  for (std::int64_t o = 0; o < out; ++o) {
    const std::int64_t at = mode == "half_pixel" ? o * scale + scale / 2 - kOne / 2 : o * scale;
    const std::int64_t first = std::max<std::int64_t>(at / kOne, 0);
    positions.push_back({first, std::min(first + 1, in - 1), at - kOne * first});
  }
  return positions;
}

std::vector<Between<float>> FloatPositions(std::int64_t in, std::int64_t out,
                                           const std::string& mode) {
  const bool corners = mode == "align_corners" && out > 1;
  const float scale = corners ? static_cast<float>(in - 1) / static_cast<float>(out - 1)
                              : static_cast<float>(in) / static_cast<float>(out);
  std::vector<Between<float>> positions;
  for (std::int64_t o = 0; o < out; ++o) {
    const auto index = static_cast<float>(o);
    const float at = mode == "half_pixel" ? (index + 0.5F) * scale - 0.5F : index * scale;
    const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(std::floor(at)), 0);
    const auto second = std::min<std::int64_t>(static_cast<std::int64_t>(std::ceil(at)), in - 1);
    positions.push_back({std::min(first, in - 1), second, at - static_cast<float>(first)});
  }
  return positions;
}

// f(four neighbours, fraction down, fraction right) at every output position of every plane.
template <class T, class F>
void Interpolate(const Dims& in, const std::vector<std::int32_t>& x,
                 const std::vector<Between<T>>& rows, const std::vector<Between<T>>& columns, F f,
                 std::vector<std::int32_t>& y) {
  std::size_t i = 0;
  for (std::int64_t plane = 0; plane < in[0] * in[1]; ++plane) {
    const std::int32_t* data = x.data() + plane * in[2] * in[3];
    for (const Between<T>& row : rows) {
      const std::int32_t *top = data + row.first * in[3], *bottom = data + row.second * in[3];
      for (const Between<T>& column : columns)
        y[i++] = f(top[column.first], top[column.second], bottom[column.first],
                   bottom[column.second], row.fraction, column.fraction);
    }
  }
}

std::int32_t BlendFixed(std::int32_t top_left, std::int32_t top_right, std::int32_t bottom_left,
                        std::int32_t bottom_right, std::int64_t down, std::int64_t right) {
  const std::int64_t sum = top_left * (kOne - down) * (kOne - right) +
                           bottom_left * down * (kOne - right) + top_right * (kOne - down) * right +
                           bottom_right * down * right;
  const std::int64_t half = sum > 0 ? kOne * kOne / 2 : -kOne * kOne / 2;
  return static_cast<std::int32_t>((sum + half) / (kOne * kOne));
}

std::int32_t BlendFloat(std::int32_t top_left, std::int32_t top_right, std::int32_t bottom_left,
                        std::int32_t bottom_right, float down, float right) {
  const auto real = [](std::int32_t value) { return static_cast<float>(value); };
  return static_cast<std::int32_t>(
      real(top_left) * (1 - down) * (1 - right) + real(bottom_left) * down * (1 - right) +
      real(top_right) * (1 - down) * right + real(bottom_right) * down * right + 0.5F);
}

}  // namespace

Status ResizeFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1));
  const auto attrs = ctx.Attrs<Fixed31ResizeAttrs>();
  const Dims &in = ctx.In(0).dims(), &out = ctx.Out(0).dims();
  const bool is_read = attrs.coordinates == "half_pixel" || attrs.coordinates == "asymmetric" ||
                       attrs.coordinates == "align_corners";
  if (attrs.mode != "linear" || !is_read || in.size() != 4 || in[0] != out[0] || in[1] != out[1])
    return Unsupported("fixed31: Resize is implemented as linear over the last two of four axes");
  if (!(q.in(0) == q.out())) return Unsupported("fixed31: Resize with different scales");
  if (ctx.Out(0).count() == 0) return {};
  if (ctx.In(0).count() == 0) return DataError("nothing can be resized");
  ATH_TRY(std::vector<std::int32_t> x, q.Centred(0));
  // As stored: that is what is rounded.
  const auto zero = static_cast<std::int32_t>(q.in(0).zeros[0]);
  for (std::int32_t& value : x) value += zero;
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  if (q.out().dtype == DType::kU8) {
    Interpolate(in, x, FloatPositions(in[2], out[2], attrs.coordinates),
                FloatPositions(in[3], out[3], attrs.coordinates), BlendFloat, y);
  } else {
    Interpolate(in, x, FixedPositions(in[2], out[2], attrs.coordinates),
                FixedPositions(in[3], out[3], attrs.coordinates), BlendFixed, y);
  }
  for (std::int32_t& value : y) value -= zero;
  return q.Store(y);
}

}  // namespace athanor::ops
