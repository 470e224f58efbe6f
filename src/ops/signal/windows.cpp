// HannWindow, HammingWindow, BlackmanWindow, MelWeightMatrix.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/signal/scalars.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kLongest = std::int64_t{1} << 28;

struct WindowAttrs {
  bool periodic = true;
  DType output_datatype = DType::kF32;
  template <class V>
  void Visit(V& v) {
    v("periodic", periodic, "1: the window of one more point, without its last; 0: symmetric");
    v("output_datatype", output_datatype, "numeric type of the output");
  }
};

struct MelAttrs {
  DType output_datatype = DType::kF32;
  template <class V>
  void Visit(V& v) {
    v("output_datatype", output_datatype, "numeric type of the output");
  }
};

Status CheckNumeric(DType dtype) {
  return Dispatch(NumericTypes{}, dtype, [](auto) { return Status(); });
}

Status InferWindow(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<WindowAttrs>();
  ATH_RETURN_IF_ERROR(CheckNumeric(attrs.output_datatype));
  ATH_TRY(const std::optional<std::int64_t> size, ScalarInput(ctx, 0));
  if (size && (*size < 0 || *size > kLongest))
    return InvalidModel("a window of {} points; 0 to {} is accepted", *size, kLongest);
  ctx.out[0] = Type::Tensor(attrs.output_datatype, {size ? Dim(*size) : Dim()});
  return {};
}

// a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)
Status Window(RefCtx& ctx, double a0, double a1, double a2) {
  const auto attrs = ctx.Attrs<WindowAttrs>();
  const std::int64_t size = ctx.Out(0).count();
  const double period =
      static_cast<double>(attrs.periodic ? size : std::max<std::int64_t>(size - 1, 1));
  return Dispatch(NumericTypes{}, attrs.output_datatype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t n = 0; n < y.size(); ++n) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(n) / period;
      y[n] = FromDouble<T>(a0 - a1 * std::cos(angle) + a2 * std::cos(2 * angle));
    }
    return {};
  });
}

Status HannReference(RefCtx& ctx) { return Window(ctx, 0.5, 0.5, 0); }
Status HammingReference(RefCtx& ctx) { return Window(ctx, 25.0 / 46, 21.0 / 46, 0); }
Status BlackmanReference(RefCtx& ctx) { return Window(ctx, 0.42, 0.5, 0.08); }

OpDef WindowOperator(std::string name, const std::string& formula, Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = "w[n] = " + formula + ", N the number of points (less 1 when symmetric).",
      .inputs = {{"size", "integer scalar: number of points"}},
      .outputs = {{"output", "[size]"}},
      .attributes = Describe<WindowAttrs>(),
      .infer = InferWindow,
      .reference = reference,
  };
}

// ---- MelWeightMatrix

Status InferMel(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<MelAttrs>();
  ATH_RETURN_IF_ERROR(CheckNumeric(attrs.output_datatype));
  ATH_TRY(const std::optional<std::int64_t> bins, ScalarInput(ctx, 0));
  ATH_TRY(const std::optional<std::int64_t> length, ScalarInput(ctx, 1));
  for (const auto& value : {bins, length}) {
    if (value && (*value < 1 || *value > kLongest))
      return InvalidModel("num_mel_bins and dft_length must be 1 to {}; {} is given", kLongest,
                          *value);
  }
  ctx.out[0] = Type::Tensor(attrs.output_datatype,
                            {length ? Dim(*length / 2 + 1) : Dim(), bins ? Dim(*bins) : Dim()});
  return {};
}

double MelFromHertz(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double HertzFromMel(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

// Corners of the triangles, in bins of the spectrum.
Result<std::vector<std::int64_t>> Corners(const RefCtx& ctx, std::int64_t mel_bins,
                                          std::int64_t length, std::int64_t spectrum) {
  ATH_TRY(const std::vector<std::int64_t> rate, ToInts(ctx.In(2)));
  ATH_TRY(const std::vector<double> low, ToDoubles(ctx.In(3)));
  ATH_TRY(const std::vector<double> high, ToDoubles(ctx.In(4)));
  if (rate.size() != 1 || low.size() != 1 || high.size() != 1)
    return DataError("sample_rate and the edges must be scalars");
  if (rate[0] < 1 || !(low[0] >= 0) || !(high[0] >= low[0]))
    return DataError("rate {}, edges {} to {} Hz are not a band", rate[0], low[0], high[0]);
  const double first = MelFromHertz(low[0]);
  const double step = (MelFromHertz(high[0]) - first) / static_cast<double>(mel_bins + 2);
  std::vector<std::int64_t> corners;
  for (std::int64_t i = 0; i < mel_bins + 2; ++i) {
    const double hertz = HertzFromMel(first + step * static_cast<double>(i));
    const double bin =
        std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate[0]));
    if (!(bin < static_cast<double>(spectrum)))
      return DataError("the band ends at {} Hz, beyond half the sample rate {}", high[0], rate[0]);
    corners.push_back(static_cast<std::int64_t>(bin));
  }
  return corners;
}

Status MelReference(RefCtx& ctx) {
  ATH_TRY(const std::vector<std::int64_t> length, ToInts(ctx.In(1)));
  const std::int64_t spectrum = ctx.Out(0).dim(0);
  const std::int64_t mel_bins = ctx.Out(0).dim(1);
  ATH_TRY(const std::vector<std::int64_t> corners, Corners(ctx, mel_bins, length[0], spectrum));
  return Dispatch(NumericTypes{}, ctx.Out(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    std::fill(y.begin(), y.end(), T(0));
    const auto set = [&](std::int64_t bin, std::int64_t mel, double weight) {
      y[static_cast<std::size_t>(bin * mel_bins + mel)] = FromDouble<T>(weight);
    };
    for (std::int64_t mel = 0; mel < mel_bins; ++mel) {
      const auto at = static_cast<std::size_t>(mel);
      const std::int64_t left = corners[at], centre = corners[at + 1], right = corners[at + 2];
      if (left == centre) set(centre, mel, 1);
      for (std::int64_t bin = left; left < centre && bin <= centre; ++bin)
        set(bin, mel, static_cast<double>(bin - left) / static_cast<double>(centre - left));
      for (std::int64_t bin = centre; bin < right; ++bin)
        set(bin, mel, static_cast<double>(right - bin) / static_cast<double>(right - centre));
    }
    return {};
  });
}

}  // namespace

OpDef BlackmanWindow() {
  return WindowOperator("BlackmanWindow", "0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)",
                        BlackmanReference);
}
OpDef HammingWindow() {
  return WindowOperator("HammingWindow", "25/46 - 21/46 cos(2 pi n / N)", HammingReference);
}
OpDef HannWindow() {
  return WindowOperator("HannWindow", "1/2 - 1/2 cos(2 pi n / N)", HannReference);
}

OpDef MelWeightMatrix() {
  return {
      .name = "MelWeightMatrix",
      .summary =
          "Triangular filters, evenly spaced on the mel scale, that turn a spectrum into mel bins.",
      .inputs = {{"num_mel_bins", "integer scalar"},
                 {"dft_length", "integer scalar: points of the transform"},
                 {"sample_rate", "integer scalar"},
                 {"lower_edge_hertz", "floating-point scalar"},
                 {"upper_edge_hertz", "floating-point scalar"}},
      .outputs = {{"output", "[dft_length / 2 + 1, num_mel_bins]"}},
      .attributes = Describe<MelAttrs>(),
      .infer = InferMel,
      .reference = MelReference,
  };
}

}  // namespace athanor::ops
