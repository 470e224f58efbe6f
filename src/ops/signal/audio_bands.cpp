// From energies to features: bands, their noise and their logarithms (audio_front_end.h).
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "ops/signal/audio_front_end.h"

namespace athanor::ops {
namespace {

// --- SignalFilterBank

Status InferFilterBank(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 0, DType::kU32));
  for (std::size_t i = 0; i < 6; ++i) {
    if (i > 0) ATH_RETURN_IF_ERROR(ExpectType(ctx, i, DType::kI16));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 1));
  }
  Dim channels;
  const Type& widths = ctx.In(5);
  if (widths.HasRank() && widths.dim(0).IsConst()) {
    if (widths.dim(0).value() < 1) return InvalidModel("a filter bank without widths");
    channels = Dim(widths.dim(0).value() - 1);
  }
  ctx.out[0] = Type::Tensor(DType::kU64, {channels});
  return {};
}

// Each frequency adds to two bands that are neighbours, w * x to one and (1 - w) * x to the next.
Status FilterBankReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::uint32_t>(0);
  const auto weights = ctx.Data<std::int16_t>(1), rest = ctx.Data<std::int16_t>(2);
  const auto starts = ctx.Data<std::int16_t>(3), weight_starts = ctx.Data<std::int16_t>(4);
  const auto widths = ctx.Data<std::int16_t>(5);
  if (widths.empty() || starts.size() != widths.size() || weight_starts.size() != widths.size() ||
      rest.size() != weights.size())
    return DataError("{} starts, {} weight starts and {} widths; {} and {} weights", starts.size(),
                     weight_starts.size(), widths.size(), weights.size(), rest.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, DType::kU64, {std::ssize(widths) - 1}));
  const auto y = ctx.OutData<std::uint64_t>(0);
  std::uint64_t band = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::int64_t width = std::max<std::int64_t>(widths[i], 0), first = starts[i];
    const std::int64_t first_weight = weight_starts[i];
    if (first < 0 || first_weight < 0 || first + width > std::ssize(x) ||
        first_weight + width > std::ssize(weights))
      return DataError("band {} reads frequencies from {}, weights from {}, {} of each", i, first,
                       first_weight, width);
    std::uint64_t next = 0;
    for (std::int64_t k = 0; k < width; ++k) {
      const std::uint64_t energy = x[static_cast<std::size_t>(first + k)];
      const auto w = static_cast<std::size_t>(first_weight + k);
      // Negative weights count as in the original: modulo 2^64.
      band += static_cast<std::uint64_t>(std::int64_t{weights[w]}) * energy;
      next += static_cast<std::uint64_t>(std::int64_t{rest[w]}) * energy;
    }
    if (i > 0) y[i - 1] = band;
    band = next;
  }
  return {};
}

// --- SignalFilterBankSquareRoot

Status InferSquareRoot(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 1, DType::kI32));
  return InferLikeInput(ctx, DType::kU64, DType::kU32);
}

// To nearest. Roots that 16 bits hold do not round beyond them.
std::uint32_t RoundedRoot(std::uint64_t x) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<long double>(x)));
  while (root > 0xFFFFFFFFU || root * root > x) --root;
  while (root < 0xFFFFFFFFU && (root + 1) * (root + 1) <= x) ++root;
  const std::uint64_t limit = x >> 32 == 0 ? 0xFFFFU : 0xFFFFFFFFU;
  if (x - root * root > root && root != limit) ++root;
  return static_cast<std::uint32_t>(root);
}

Status SquareRootReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::uint64_t>(0);
  const auto y = ctx.OutData<std::uint32_t>(0);
  const auto scale = ctx.Data<std::int32_t>(1);
  if (scale.size() != 1 || scale[0] < 0 || scale[0] > 31)
    return DataError("scale_bits must be one number from 0 to 31");
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = RoundedRoot(x[i]) >> scale[0];
  return {};
}

// --- SignalFilterBankSpectralSubtraction

struct SubtractionAttrs {
  std::int64_t smoothing = 0, one_minus_smoothing = 0;
  std::int64_t alternate_smoothing = 0, alternate_one_minus_smoothing = 0;
  std::int64_t smoothing_bits = 0, spectral_subtraction_bits = 0, min_signal_remaining = 0;
  bool clamping = false;
  template <class V>
  void Visit(V& v) {
    v("smoothing", smoothing, "share of the signal in the estimate, of even bands", kRequired);
    v("one_minus_smoothing", one_minus_smoothing, "share of the estimate so far", kRequired);
    v("alternate_smoothing", alternate_smoothing, "the same of odd bands", kRequired);
    v("alternate_one_minus_smoothing", alternate_one_minus_smoothing, "", kRequired);
    v("smoothing_bits", smoothing_bits, "bits of fraction that the estimate has more", kRequired);
    v("spectral_subtraction_bits", spectral_subtraction_bits, "bits of fraction of the shares",
      kRequired);
    v("min_signal_remaining", min_signal_remaining, "share that is left of the signal at least",
      kRequired);
    v("clamping", clamping, "1: the estimate follows a signal that is lower");
  }
};

Status InferSubtraction(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<SubtractionAttrs>();
  ATH_RETURN_IF_ERROR(ExpectBits(attrs.smoothing_bits, 31, "smoothing_bits"));
  ATH_RETURN_IF_ERROR(ExpectBits(attrs.spectral_subtraction_bits, 31, "spectral_subtraction_bits"));
  for (const std::int64_t share :
       {attrs.smoothing, attrs.one_minus_smoothing, attrs.alternate_smoothing,
        attrs.alternate_one_minus_smoothing, attrs.min_signal_remaining})
    ATH_RETURN_IF_ERROR(ExpectBits(share, std::numeric_limits<std::uint32_t>::max(), "a share"));
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 1, DType::kU32));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  ATH_RETURN_IF_ERROR(InferLikeInput(ctx, DType::kU32, DType::kU32));
  if (ctx.num_outputs() > 1) ctx.out[1] = ctx.In(0);
  return {};
}

Status SubtractionReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SubtractionAttrs>();
  const auto x = ctx.Data<std::uint32_t>(0), before = ctx.Data<std::uint32_t>(1);
  const auto y = ctx.OutData<std::uint32_t>(0);
  if (before.size() != x.size())
    return DataError("{} estimates for {} bands", before.size(), x.size());
  const bool wants_noise = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
  const auto share = [](std::uint64_t value, std::int64_t of) {
    return value * static_cast<std::uint64_t>(of);
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool even = i % 2 == 0;
    const std::uint32_t raised = x[i] << attrs.smoothing_bits;
    const std::uint64_t mixed =
        share(raised, even ? attrs.smoothing : attrs.alternate_smoothing) +
        share(before[i], even ? attrs.one_minus_smoothing : attrs.alternate_one_minus_smoothing);
    auto noise = static_cast<std::uint32_t>(mixed >> attrs.spectral_subtraction_bits);
    const std::uint32_t taken = std::min(noise, raised);
    if (attrs.clamping) noise = taken;
    const auto least = static_cast<std::uint32_t>(share(x[i], attrs.min_signal_remaining) >>
                                                  attrs.spectral_subtraction_bits);
    y[i] = std::max((raised - taken) >> attrs.smoothing_bits, least);
    if (wants_noise) ctx.OutData<std::uint32_t>(1)[i] = noise;
  }
  return {};
}

// --- SignalPCAN

struct PcanAttrs {
  std::int64_t snr_shift = 0;
  template <class V>
  void Visit(V& v) {
    v("snr_shift", snr_shift, "signal times gain is divided by 2^snr_shift", kRequired);
  }
};

constexpr std::int64_t kGains = 125;  // 3 small numbers, then parabolas over 30 powers of two

Status InferPcan(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectBits(ctx.Attrs<PcanAttrs>().snr_shift, 63, "snr_shift"));
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 1, DType::kU32));
  ATH_RETURN_IF_ERROR(ExpectType(ctx, 2, DType::kI16));
  return InferLikeInput(ctx, DType::kU32, DType::kU32);
}

// The gain for an estimate of noise: between powers of two a parabola of the table.
std::uint32_t GainOf(std::uint32_t noise, std::span<const std::int16_t> table) {
  const auto value = [&table](std::size_t i) { return std::int64_t{table[i]}; };
  std::int64_t gain = 0;
  if (noise <= 2) {
    gain = value(noise);
  } else {
    const auto power = static_cast<std::size_t>(std::bit_width(noise));
    const std::size_t at = 4 * power - 6;
    const std::int64_t place =
        (power < 11 ? noise << (11 - power) : noise >> (power - 11)) & 0x3FFU;
    // 32 bits wrap around in the original.
    const auto slope =
        static_cast<std::int32_t>(((value(at + 2) * place) >> 5) + value(at + 1) * 32);
    const auto rise = static_cast<std::int32_t>(slope * place);
    gain = ((std::int64_t{rise} + (1 << 14)) >> 15) + value(at);
  }
  return static_cast<std::uint32_t>(std::int32_t{static_cast<std::int16_t>(gain)});
}

// x^2 / 4 below 2, x - 1 above; 12 bits of fraction in, 6 out.
std::uint32_t Shrunk(std::uint32_t x) {
  return x < 2U << 12 ? (x * x) >> (2 + 2 * 12 - 6) : (x >> 6) - (1U << 6);
}

Status PcanReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::uint32_t>(0), noise = ctx.Data<std::uint32_t>(1);
  const auto table = ctx.Data<std::int16_t>(2);
  const auto y = ctx.OutData<std::uint32_t>(0);
  if (noise.size() != x.size() || std::ssize(table) < kGains)
    return DataError("{} estimates for {} bands; {} gains, {} are expected", noise.size(), x.size(),
                     table.size(), kGains);
  const std::int64_t shift = ctx.Attrs<PcanAttrs>().snr_shift;
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = Shrunk(
        static_cast<std::uint32_t>((std::uint64_t{x[i]} * GainOf(noise[i], table)) >> shift));
  return {};
}

// --- SignalFilterBankLog

struct BandLogAttrs {
  std::int64_t output_scale = 1, input_correction_bits = 0;
  template <class V>
  void Visit(V& v) {
    v("output_scale", output_scale, "what the natural logarithm is multiplied by", kRequired);
    v("input_correction_bits", input_correction_bits, "the input is multiplied by 2^n before");
  }
};

Status InferBandLog(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<BandLogAttrs>();
  ATH_RETURN_IF_ERROR(ExpectBits(attrs.input_correction_bits, 31, "input_correction_bits"));
  ATH_RETURN_IF_ERROR(
      ExpectBits(attrs.output_scale, std::numeric_limits<std::int32_t>::max(), "output_scale"));
  return InferLikeInput(ctx, DType::kU32, DType::kI16);
}

// log2 of 1 + i/128 less i/128, with 16 bits of fraction.
std::vector<std::int32_t> LogTable() {
  std::vector<std::int32_t> table;
  for (int i = 0; i <= 128; ++i)
    table.push_back(
        static_cast<std::int32_t>(std::lround((std::log2(1 + i / 128.0) - i / 128.0) * 65536)));
  return table;
}

// scale * ln(x), x > 1: log2 from a table with lines between, 16 bits of fraction.
std::uint32_t ScaledLog(std::uint32_t x, std::uint32_t scale) {
  static const std::vector<std::int32_t> table = LogTable();
  const auto power = static_cast<std::uint32_t>(std::bit_width(x) - 1);
  const std::uint32_t above = x - (std::uint32_t{1} << power);
  const auto fraction =
      static_cast<std::int32_t>(power < 16 ? above << (16 - power) : above >> (power - 16));
  const std::int32_t segment = fraction >> 9;
  const std::int32_t low = table[static_cast<std::size_t>(segment)];
  const std::int32_t step = table[static_cast<std::size_t>(segment) + 1] - low;
  // The place within the segment has 9 bits, but is divided by 2^16, in the original too.
  const std::int32_t correction = low + ((step * (fraction - segment * 512)) >> 16);
  const std::uint64_t log2 = (power << 16) + static_cast<std::uint32_t>(fraction + correction);
  constexpr std::uint64_t kLn2 = 45426, kHalf = 32768;
  const auto natural = static_cast<std::uint32_t>((kLn2 * log2 + kHalf) >> 16);
  return (scale * natural + static_cast<std::uint32_t>(kHalf)) >> 16;
}

Status BandLogReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<BandLogAttrs>();
  const auto x = ctx.Data<std::uint32_t>(0);
  const auto y = ctx.OutData<std::int16_t>(0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::uint32_t raised = x[i] << attrs.input_correction_bits;
    const std::uint32_t log =
        raised > 1 ? ScaledLog(raised, static_cast<std::uint32_t>(attrs.output_scale)) : 0;
    y[i] = static_cast<std::int16_t>(std::min(log, 32767U));
  }
  return {};
}

}  // namespace

OpDef SignalFilterBank() {
  return {
      .name = "SignalFilterBank",
      .summary = "Energies in bands that overlap: each frequency adds to two neighbours.",
      .inputs = {{"x", "[n], u32: energy of each frequency"},
                 {"weights", "[w], i16: share of a frequency in its band"},
                 {"unweights", "[w], i16: share in the next band"},
                 {"starts", "[bands + 1], i16: first frequency of each band"},
                 {"weight_starts", "[bands + 1], i16: where its weights begin"},
                 {"widths", "[bands + 1], i16: how many frequencies"}},
      .outputs = {{"y", "[bands], u64; band 0, which only feeds its neighbour, is left out"}},
      .infer = InferFilterBank,
      .reference = FilterBankReference,
  };
}

OpDef SignalFilterBankSquareRoot() {
  return {
      .name = "SignalFilterBankSquareRoot",
      .summary = "Square roots, rounded to nearest, divided by 2^scale_bits.",
      .inputs = {{"x", "u64"}, {"scale_bits", "i32 scalar, as SignalFftAutoScale gives it"}},
      .outputs = {{"y", "same shape as x, u32"}},
      .infer = InferSquareRoot,
      .reference = SquareRootReference,
  };
}

OpDef SignalFilterBankSpectralSubtraction() {
  return {
      .name = "SignalFilterBankSpectralSubtraction",
      .summary = "Bands less an estimate of their noise, which follows them slowly.",
      .inputs = {{"x", "[bands], u32"}, {"noise", "[bands], u32: the estimate so far"}},
      .outputs = {{"y", "[bands], u32"},
                  {"next_noise", "[bands], u32: the estimate, this frame included", kOptionalPort}},
      .attributes = Describe<SubtractionAttrs>(),
      .infer = InferSubtraction,
      .reference = SubtractionReference,
  };
}

OpDef SignalPCAN() {
  return {
      .name = "SignalPCAN",
      .summary =
          "Gain control per channel: bands times a gain that their noise decides, compressed.",
      .inputs = {{"x", "[bands], u32"},
                 {"noise", "[bands], u32"},
                 {"gains", "[125], i16: parabolas between powers of two"}},
      .outputs = {{"y", "same shape and type as x"}},
      .attributes = Describe<PcanAttrs>(),
      .infer = InferPcan,
      .reference = PcanReference,
  };
}

OpDef SignalFilterBankLog() {
  return {
      .name = "SignalFilterBankLog",
      .summary = "Natural logarithm in integers, saturated; 0 for what is not above 1.",
      .inputs = {{"x", "u32"}},
      .outputs = {{"y", "same shape as x, i16"}},
      .attributes = Describe<BandLogAttrs>(),
      .infer = InferBandLog,
      .reference = BandLogReference,
  };
}

}  // namespace athanor::ops
