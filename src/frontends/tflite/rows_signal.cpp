// The signal library of TensorFlow Lite for Microcontrollers: custom operators named Signal...,
// whose meanings are those of the graph's operators of the same names. Estimates of noise are
// states.
#include "frontends/tflite/custom_options.h"

namespace athanor::tflite {
namespace {

// An operator of the same name, with inputs and outputs as they stand.
template <const auto& kName, std::size_t kInputs>
Status Plain(OpImport& ctx, AttrMap attributes) {
  ATH_RETURN_IF_ERROR(ctx.Expect(kInputs));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < kInputs; ++i) inputs.push_back(ctx.Stored(i));
  return ctx.GiveStored(ctx.Add(kName, inputs, std::move(attributes)));
}

constexpr char kWindow[] = "SignalWindow", kRfft[] = "SignalRfft", kIrfft[] = "SignalIrfft",
               kEnergy[] = "SignalEnergy", kFilterBank[] = "SignalFilterBank",
               kSquareRoot[] = "SignalFilterBankSquareRoot", kPcan[] = "SignalPCAN",
               kBandLog[] = "SignalFilterBankLog";

Status SignalWindowOp(OpImport& ctx) {
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"shift"}));
  return Plain<kWindow, 2>(ctx, std::move(attributes));
}

Status FftAutoScale(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1, 2));
  ATH_TRY(const auto outputs, ctx.AddMany("SignalFftAutoScale", {ctx.Stored(0)}, {}, 2));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(outputs[0]));
  return ctx.GiveStored(outputs[1], schema::Activation_NONE, {}, 1);
}

// Of real numbers: the graph's own transform, whose parts are an axis of their own.
Status RealRfft(OpImport& ctx, std::int64_t length) {
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  const Dim frame = rank > 0 ? ctx.InType(0).dim(rank - 1) : Dim();
  if (!frame.IsConst() || length < 1 || frame.value() > length)
    return Unsupported("frames of {} for a transform of {} points", frame.ToString(), length);
  Ints pads(static_cast<std::size_t>(2 * rank), 0);
  pads.back() = length - frame.value();
  ATH_TRY(const ValueId filled, ctx.Add("Pad", {ctx.Stored(0), ctx.Constants(pads)}));
  ATH_TRY(const ValueId column, ctx.Add("Unsqueeze", {filled, ctx.Constants({-1})}));
  ATH_TRY(const ValueId parts, ctx.Add("DFT", {column, kNoValue, ctx.Constants({rank - 1})},
                                       {{"onesided", std::int64_t{1}}}));
  Ints shape(static_cast<std::size_t>(rank), 0);  // 0: as it is
  shape.back() = -1;
  return ctx.GiveStored(ctx.Add("Reshape", {parts, ctx.Constants(shape)}));
}

Status Rfft(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"fft_length"}));
  if (ctx.In(0).dtype == DType::kF32)
    return RealRfft(ctx, std::get<std::int64_t>(*attributes.Find("fft_length")));
  return Plain<kRfft, 1>(ctx, std::move(attributes));
}

// Of a spectrum of real numbers back to them.
Status RealIrfft(OpImport& ctx, std::int64_t length) {
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  const Dim parts = rank > 0 ? ctx.InType(0).dim(rank - 1) : Dim();
  constexpr std::int64_t kLongest = std::int64_t{1} << 24;
  if (length < 2 || length > kLongest || length % 2 != 0 || !parts.Is(length + 2))
    return Unsupported(
        "spectra of {} numbers for {} points back; an even number of points and two "
        "numbers more are read",
        parts.ToString(), length);
  Ints split(static_cast<std::size_t>(rank), 0), joined = split;  // 0: as it is
  split.back() = length / 2 + 1;
  split.push_back(2);
  joined.back() = length;
  ATH_TRY(const ValueId pairs, ctx.Add("Reshape", {ctx.Stored(0), ctx.Constants(split)}));
  ATH_TRY(const ValueId line,
          ctx.Add("DFT", {pairs, ctx.Constants({length}), ctx.Constants({rank - 1})},
                  {{"inverse", std::int64_t{1}}, {"onesided", std::int64_t{1}}}));
  return ctx.GiveStored(ctx.Add("Reshape", {line, ctx.Constants(joined)}));
}

Status Irfft(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"fft_length"}));
  if (ctx.In(0).dtype == DType::kF32)
    return RealIrfft(ctx, std::get<std::int64_t>(*attributes.Find("fft_length")));
  return Plain<kIrfft, 1>(ctx, std::move(attributes));
}

Status Energy(OpImport& ctx) {
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"start_index", "end_index"}));
  return Plain<kEnergy, 1>(ctx, std::move(attributes));
}

Status SpectralSubtraction(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1, 2));
  ATH_TRY(AttrMap attributes,
          NumberOptions(ctx, {"smoothing", "one_minus_smoothing", "alternate_smoothing",
                              "alternate_one_minus_smoothing", "smoothing_bits",
                              "spectral_subtraction_bits", "min_signal_remaining", "clamping"}));
  const auto dims = ctx.InType(0).StaticDims();
  if (!dims || dims->size() != 1)
    return Unsupported("bands are {}; a known number is read", ctx.InType(0).ToString());
  ATH_TRY(const ValueId noise, ctx.BeginOwnState(DType::kU32, *dims));
  ATH_TRY(const auto outputs, ctx.AddMany("SignalFilterBankSpectralSubtraction",
                                          {ctx.Stored(0), noise}, std::move(attributes), 2));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(outputs[1]));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(outputs[0]));
  return ctx.GiveStored(outputs[1], schema::Activation_NONE, {}, 1);
}

Status Pcan(OpImport& ctx) {
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"snr_shift"}));
  return Plain<kPcan, 3>(ctx, std::move(attributes));
}

Status BandLog(OpImport& ctx) {
  ATH_TRY(AttrMap attributes, NumberOptions(ctx, {"output_scale", "input_correction_bits"}));
  return Plain<kBandLog, 1>(ctx, std::move(attributes));
}

}  // namespace

std::vector<CustomRow> SignalRows() {
  return {
      {"SignalEnergy", Energy},
      {"SignalFftAutoScale", FftAutoScale},
      {"SignalFilterBank", [](OpImport& ctx) { return Plain<kFilterBank, 6>(ctx, {}); }},
      {"SignalFilterBankLog", BandLog},
      {"SignalFilterBankSpectralSubtraction", SpectralSubtraction},
      {"SignalFilterBankSquareRoot", [](OpImport& ctx) { return Plain<kSquareRoot, 2>(ctx, {}); }},
      {"SignalIrfft", Irfft},
      {"SignalPCAN", Pcan},
      {"SignalRfft", Rfft},
      {"SignalWindow", SignalWindowOp},
  };
}

}  // namespace athanor::tflite
