// Softmax and Concat on integers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/broadcast.h"
#include "ops/quant/fixed31.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::ops {
namespace {

struct AxisAttrs {
  std::int64_t axis = -1;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "");
  }
};

// Elements before, along and after an axis.
struct Around {
  std::int64_t outer = 1, size = 1, inner = 1;
};
Result<Around> AroundAxis(const Dims& dims, std::int64_t axis) {
  ATH_TRY(const std::int64_t at, NormalizeAxis(axis, std::ssize(dims)));
  Around around;
  for (std::int64_t a = 0; a < std::ssize(dims); ++a)
    (a < at    ? around.outer
     : a == at ? around.size
               : around.inner) *= dims[static_cast<std::size_t>(a)];
  return around;
}

constexpr int kSumBits = 12;  // integer bits of the sum of exponentials

// exp(x - max), as a fixed-point number with 0 integer bits.
class Exponentials {
 public:
  explicit Exponentials(float scale) : scale_(SoftmaxScaleOf(scale)) {}
  bool IsZero(std::int32_t difference) const { return difference < scale_.lowest; }
  std::int32_t operator()(std::int32_t difference) const {
    return fixed::ExpOnNegative(fixed::Multiply(difference, scale_.multiplier));
  }

 private:
  SoftmaxScale scale_;
};

}  // namespace

Status SoftmaxFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 1, {}, true));
  // The result has a scale of its own choice: its bits divide 1, from the smallest integer on.
  const IntRange range = *QuantRange(q.out().dtype);
  const int bits = q.out().dtype == DType::kI16 ? 16 : 8;
  const float scale = std::ldexp(1.0F, -bits);
  // Converters write 1/65535 for 16 bits; the original takes it for the same.
  const bool is_scale = std::fabs(q.out().scales[0] - scale) <= (bits == 16 ? scale / 32768 : 0.0F);
  if (!is_scale || q.out().zeros[0] != range.low)
    return Unsupported("fixed31: Softmax gives scale 1/{} and zero point {}; {} and {} are asked",
                       1 << bits, range.low, q.out().scales[0], q.out().zeros[0]);
  ATH_TRY(const Around around, AroundAxis(ctx.In(0).dims(), ctx.Attrs<AxisAttrs>().axis));
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  const Exponentials exponentials(q.in(0).scales[0]);
  std::vector<std::int32_t> y(x.size(), 0);
  for (std::int64_t line = 0; line < around.outer * around.inner; ++line) {
    const std::int64_t first =
        line / around.inner * around.size * around.inner + line % around.inner;
    const auto at = [&](std::int64_t k) {
      return static_cast<std::size_t>(first + k * around.inner);
    };
    std::int32_t largest = std::numeric_limits<std::int32_t>::min();
    for (std::int64_t k = 0; k < around.size; ++k) largest = std::max(largest, x[at(k)]);
    std::uint32_t sum = 0;
    for (std::int64_t k = 0; k < around.size; ++k) {
      const std::int32_t difference = x[at(k)] - largest;
      if (!exponentials.IsZero(difference))
        sum += static_cast<std::uint32_t>(
            fixed::RoundingShiftRight(exponentials(difference), kSumBits));
    }
    const auto reciprocal = fixed::ReciprocalOf(static_cast<std::int32_t>(sum), kSumBits);
    const int shift = std::clamp(reciprocal.bits_over_unit + 31 - bits, 0, 31);
    for (std::int64_t k = 0; k < around.size; ++k) {
      const std::int32_t difference = x[at(k)] - largest;
      if (exponentials.IsZero(difference)) continue;
      y[at(k)] = fixed::RoundingShiftRight(
          fixed::HighMul(reciprocal.scale, exponentials(difference)), shift);
    }
  }
  return q.Store(y);
}

// Inputs of another scale are brought to that of the result, in f32 as the original does.
Status ConcatFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, ctx.num_inputs()));
  ATH_TRY(const Around whole, AroundAxis(ctx.Out(0).dims(), ctx.Attrs<AxisAttrs>().axis));
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  const float inverse = 1.0F / q.out().scales[0];
  std::int64_t start = 0;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_TRY(const Around part, AroundAxis(ctx.In(i).dims(), ctx.Attrs<AxisAttrs>().axis));
    ATH_TRY(const std::vector<std::int32_t> x, q.Centred(i));
    const auto zero = static_cast<std::int32_t>(q.in(i).zeros[0]);
    const float scale = q.in(i).scales[0] * inverse;
    const float bias = static_cast<float>(-zero) * scale;
    const bool same = q.in(i) == q.out();
    const std::int64_t run = part.size * part.inner;
    for (std::int64_t k = 0; k < part.outer * run; ++k) {
      const std::int32_t value = x[static_cast<std::size_t>(k)];
      const float other = std::round(static_cast<float>(value + zero) * scale + bias);
      y[static_cast<std::size_t>(k / run * whole.size * whole.inner + start * whole.inner +
                                 k % run)] =
          same ? value : static_cast<std::int32_t>(std::clamp(other, -1e6F, 1e6F));
    }
    start += part.size;
  }
  return q.Store(y);
}

}  // namespace athanor::ops
