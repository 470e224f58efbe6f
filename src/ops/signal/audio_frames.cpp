// From sound to spectra: frames, their windows, transforms and energies (audio_front_end.h).
#include <algorithm>
#include <bit>

#include "ops/signal/audio_front_end.h"
#include "ops/signal/fixed_fourier.h"

namespace athanor::ops {
namespace {

// --- SignalWindow

struct ShiftAttrs {
  std::int64_t shift = 0;
  template <class V>
  void Visit(V& v) {
    v("shift", shift, "products are divided by 2^shift");
  }
};

Status InferWindowed(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectBits(ctx.Attrs<ShiftAttrs>().shift, 31, "shift"));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 1, DType::kI16));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const Type &x = ctx.In(0), &w = ctx.In(1);
  if (x.HasRank() && w.HasRank()) {
    const Dim &length = x.dim(x.rank() - 1), &weights = w.dim(0);
    if (length.IsConst() && weights.IsConst() && length.value() != weights.value())
      return InvalidModel("{} weights for frames of {}", weights.value(), length.value());
  }
  return InferLikeInput(ctx, DType::kI16, DType::kI16);
}

Status WindowedReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::int16_t>(0), w = ctx.Data<std::int16_t>(1);
  const auto y = ctx.OutData<std::int16_t>(0);
  const std::int64_t shift = ctx.Attrs<ShiftAttrs>().shift;
  const Dims& dims = ctx.In(0).dims();
  if (dims.empty() || (!x.empty() && dims.back() != std::ssize(w)))
    return DataError("{} weights for frames in {}", w.size(), ToString(dims));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::int32_t product = (std::int32_t{x[i]} * w[i % w.size()]) >> shift;
    y[i] = static_cast<std::int16_t>(std::clamp(product, -32768, 32767));
  }
  return {};
}

// --- SignalFftAutoScale

Status InferAutoScale(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(InferLikeInput(ctx, DType::kI16, DType::kI16));
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(DType::kI32, {});
  return {};
}

Status AutoScaleReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::int16_t>(0);
  const auto y = ctx.OutData<std::int16_t>(0);
  std::uint32_t largest = 0;
  for (const std::int16_t value : x)
    largest = std::max(largest, static_cast<std::uint32_t>(std::abs(int{value})));
  // Silence stays as it is.
  const int bits = largest == 0 ? 0 : std::max(15 - static_cast<int>(std::bit_width(largest)), 0);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<std::int16_t>(x[i] * (1 << bits));
  if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor()) ctx.OutData<std::int32_t>(1)[0] = bits;
  return {};
}

// --- SignalRfft and SignalIrfft

struct FixedFourierAttrs {
  std::int64_t fft_length = 0;
  template <class V>
  void Visit(V& v) {
    v("fft_length", fft_length, "how many points", kRequired);
  }
};

using RfftTypes = TypeList<std::int16_t, std::int32_t>;
constexpr std::int64_t kLongestFixed = std::int64_t{1} << 16;

// The length that the attribute says, when such a transform of input 0 exists.
Result<std::int64_t> CheckFixedLength(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, 0, RfftTypes{}));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  const std::int64_t length = ctx.Attrs<FixedFourierAttrs>().fft_length;
  if (!IsFixedFourierLength(length) || length > kLongestFixed)
    return InvalidModel("a transform of {} points; a power of two from 4 to {} is accepted", length,
                        kLongestFixed);
  return length;
}

Status InferFixedRfft(InferCtx& ctx) {
  ATH_TRY(const std::int64_t length, CheckFixedLength(ctx));
  Type y = ctx.In(0);
  if (y.HasRank()) {
    Dim& last = y.shape->back();
    if (last.IsConst() && last.value() > length)
      return InvalidModel("frames of {} for a transform of {} points", last.value(), length);
    last = Dim(length + 2);
  }
  ctx.out[0] = std::move(y);
  return {};
}

Status FixedRfftReference(RefCtx& ctx) {
  const auto length = static_cast<std::size_t>(ctx.Attrs<FixedFourierAttrs>().fft_length);
  const auto frame = static_cast<std::size_t>(ctx.In(0).dims().back());
  if (frame > length) return DataError("frames of {} for a transform of {} points", frame, length);
  return Dispatch(RfftTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> x = ctx.Data<T>(0);
    const std::span<T> y = ctx.OutData<T>(0);
    std::vector<T> filled(length, 0);
    for (std::size_t n = 0; n < y.size() / (length + 2); ++n) {
      std::copy_n(x.data() + n * frame, frame, filled.begin());
      FixedRealFourier<T>(filled, y.subspan(n * (length + 2), length + 2));
    }
    return {};
  });
}

Status InferFixedIrfft(InferCtx& ctx) {
  ATH_TRY(const std::int64_t length, CheckFixedLength(ctx));
  Type y = ctx.In(0);
  if (y.HasRank()) {
    Dim& last = y.shape->back();
    if (last.IsConst() && last.value() != length + 2)
      return InvalidModel("spectra of {} numbers for {} points; {} are wanted", last.value(),
                          length, length + 2);
    last = Dim(length);
  }
  ctx.out[0] = std::move(y);
  return {};
}

Status FixedIrfftReference(RefCtx& ctx) {
  const auto length = static_cast<std::size_t>(ctx.Attrs<FixedFourierAttrs>().fft_length);
  const auto numbers = static_cast<std::size_t>(ctx.In(0).dims().back());
  if (numbers != length + 2)
    return DataError("spectra of {} numbers for {} points", numbers, length);
  return Dispatch(RfftTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> x = ctx.Data<T>(0);
    const std::span<T> y = ctx.OutData<T>(0);
    for (std::size_t n = 0; n < y.size() / length; ++n)
      FixedRealFourierInverse<T>(x.subspan(n * numbers, numbers), y.subspan(n * length, length));
    return {};
  });
}

// --- SignalEnergy

struct EnergyAttrs {
  std::int64_t start_index = 0, end_index = 0;
  template <class V>
  void Visit(V& v) {
    v("start_index", start_index, "the first frequency; the energy of those before is 0");
    v("end_index", end_index, "one behind the last", kRequired);
  }
};

Status InferEnergy(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 0, DType::kI16));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 1));
  const auto attrs = ctx.Attrs<EnergyAttrs>();
  if (attrs.start_index < 0 || attrs.end_index < attrs.start_index)
    return InvalidModel("frequencies {} to {}", attrs.start_index, attrs.end_index);
  Dim count;
  if (ctx.In(0).HasRank() && ctx.In(0).dim(0).IsConst()) {
    const std::int64_t parts = ctx.In(0).dim(0).value();
    if (parts % 2 != 0 || attrs.end_index > parts / 2)
      return InvalidModel("frequencies {} to {} of {} numbers", attrs.start_index, attrs.end_index,
                          parts);
    count = Dim(parts / 2);
  }
  ctx.out[0] = Type::Tensor(DType::kU32, {count});
  return {};
}

Status EnergyReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<EnergyAttrs>();
  const auto x = ctx.Data<std::int16_t>(0);
  if (x.size() % 2 != 0 || attrs.end_index > std::ssize(x) / 2)
    return DataError("frequencies to {} of {} numbers", attrs.end_index, x.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, DType::kU32, {std::ssize(x) / 2}));
  const auto y = ctx.OutData<std::uint32_t>(0);
  std::fill(y.begin(), y.end(), 0U);
  for (std::int64_t k = attrs.start_index; k < attrs.end_index; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const std::int64_t re = x[2 * i], im = x[2 * i + 1];
    y[i] = static_cast<std::uint32_t>(re * re + im * im);
  }
  return {};
}

}  // namespace

OpDef SignalWindow() {
  return {
      .name = "SignalWindow",
      .summary = "Frames times a window in integers: x * w / 2^shift, rounded down, saturated.",
      .inputs = {{"x", "[..., n], i16"}, {"w", "[n], i16"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<ShiftAttrs>(),
      .infer = InferWindowed,
      .reference = WindowedReference,
  };
}

OpDef SignalFftAutoScale() {
  return {
      .name = "SignalFftAutoScale",
      .summary = "A frame times the largest power of two that leaves its numbers 15 bits.",
      .inputs = {{"x", "i16"}},
      .outputs = {{"y", "same shape and type as x"},
                  {"scale_bits", "i32 scalar: the exponent", kOptionalPort}},
      .infer = InferAutoScale,
      .reference = AutoScaleReference,
  };
}

OpDef SignalRfft() {
  return {
      .name = "SignalRfft",
      .summary =
          "Fourier transform of real numbers in fixed point, divided by the number of points.",
      .inputs = {{"x", "[..., n], i16 or i32, n <= fft_length: filled up with 0"}},
      .outputs = {{"y",
                   "[..., fft_length + 2]: real and imaginary parts of frequencies 0 to half"}},
      .attributes = Describe<FixedFourierAttrs>(),
      .infer = InferFixedRfft,
      .reference = FixedRfftReference,
  };
}

OpDef SignalIrfft() {
  return {
      .name = "SignalIrfft",
      .summary =
          "Real numbers back from their Fourier transform in fixed point, divided by the "
          "number of points.",
      .inputs = {{"x",
                  "[..., fft_length + 2], i16 or i32: real and imaginary parts of "
                  "frequencies 0 to half"}},
      .outputs = {{"y", "[..., fft_length]"}},
      .attributes = Describe<FixedFourierAttrs>(),
      .infer = InferFixedIrfft,
      .reference = FixedIrfftReference,
  };
}

OpDef SignalEnergy() {
  return {
      .name = "SignalEnergy",
      .summary = "Squared magnitude of each frequency.",
      .inputs = {{"x", "[2 n], i16: real and imaginary parts in turn"}},
      .outputs = {{"y", "[n], u32; 0 outside of start_index to end_index"}},
      .attributes = Describe<EnergyAttrs>(),
      .infer = InferEnergy,
      .reference = EnergyReference,
  };
}

}  // namespace athanor::ops
