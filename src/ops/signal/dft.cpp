// DFT and STFT. Complex numbers are the last dimension: [..., 1] real, [..., 2] real and imaginary.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/signal/fourier.h"
#include "ops/signal/scalars.h"

namespace athanor::ops {
namespace {

using Complex = std::complex<double>;

constexpr std::int64_t kMostPoints = std::int64_t{1} << 26;

struct DftAttrs {
  bool inverse = false;
  bool onesided = false;
  template <class V>
  void Visit(V& v) {
    v("inverse", inverse, "1: the inverse transform");
    v("onesided", onesided,
      "1: only the first floor(length / 2) + 1 values of a real signal's spectrum are given, or "
      "taken when inverse");
  }
};

struct StftAttrs {
  bool onesided = true;
  template <class V>
  void Visit(V& v) {
    v("onesided", onesided, "1: only the first floor(frame_length / 2) + 1 frequencies");
  }
};

Status CheckLength(std::int64_t length) {
  if (length >= 1 && length <= kMostPoints) return {};
  return InvalidModel("a transform of {} points; 1 to {} is accepted", length, kMostPoints);
}

Status InferDft(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<DftAttrs>();
  const Type& x = ctx.In(0);
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, x.dtype, [](auto) { return Status(); }));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (!x.HasRank()) return {};
  const Dim& parts = x.shape->back();
  if (parts.IsConst() && parts.value() != 1 && parts.value() != 2)
    return InvalidModel("the input is {}; a last dimension of 1 or 2 is expected", x.ToString());
  if (attrs.onesided && !attrs.inverse && parts.Is(2))
    return InvalidModel("onesided needs a real signal; {} is complex", x.ToString());
  ctx.out[0].shape = Shape(x.shape->size());
  std::int64_t axis = -2;
  if (ctx.Has(2)) {
    ATH_TRY(const std::optional<std::int64_t> given, ScalarInput(ctx, 2));
    if (!given) return {};
    axis = *given;
  }
  ATH_TRY(axis, NormalizeAxis(axis, x.rank()));
  if (axis == x.rank() - 1) return InvalidModel("axis {} holds the parts of complex numbers", axis);
  const bool real_result = attrs.inverse && attrs.onesided;
  Dim length = x.dim(axis);
  if (real_result) length = (length - Dim(1)) * Dim(2);
  if (ctx.Has(1)) {
    ATH_TRY(const std::optional<std::int64_t> given, ScalarInput(ctx, 1));
    length = given ? Dim(*given) : Dim();
  }
  if (length.IsConst()) ATH_RETURN_IF_ERROR(CheckLength(length.value()));
  Shape shape = *x.shape;
  shape[static_cast<std::size_t>(axis)] =
      attrs.onesided && !attrs.inverse ? FloorDiv(length, 2) + Dim(1) : length;
  shape.back() = real_result ? 1 : 2;
  ctx.out[0].shape = std::move(shape);
  return {};
}

// Lines of complex numbers in a tensor: where each starts and how far its elements are apart.
class Lines {
 public:
  Lines(const Dims& dims, std::int64_t axis) {
    parts_ = static_cast<std::size_t>(dims.back());
    length_ = static_cast<std::size_t>(dims[static_cast<std::size_t>(axis)]);
    for (std::size_t i = static_cast<std::size_t>(axis) + 1; i + 1 < dims.size(); ++i)
      stride_ *= static_cast<std::size_t>(dims[i]);
    for (std::size_t i = 0; i < static_cast<std::size_t>(axis); ++i)
      outer_ *= static_cast<std::size_t>(dims[i]);
  }
  std::size_t count() const { return outer_ * stride_; }
  std::size_t length() const { return length_; }
  std::size_t parts() const { return parts_; }
  std::size_t at(std::size_t line, std::size_t i) const {
    return ((line / stride_ * length_ + i) * stride_ + line % stride_) * parts_;
  }

 private:
  std::size_t outer_ = 1, stride_ = 1, length_ = 1, parts_ = 1;
};

// The whole spectrum of a real signal from its first half.
void Mirror(std::vector<Complex>& line) {
  const std::size_t n = line.size();
  for (std::size_t k = n / 2 + 1; k < n; ++k) line[k] = std::conj(line[n - k]);
  line[0] = line[0].real();
  if (n % 2 == 0) line[n / 2] = line[n / 2].real();
}

Status DftReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<DftAttrs>();
  std::int64_t axis = -2;
  if (ctx.Has(2)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(2)));
    axis = given[0];
  }
  ATH_TRY(axis, NormalizeAxis(axis, ctx.In(0).rank()));
  const Lines in(ctx.In(0).dims(), axis);
  const Lines out(ctx.Out(0).dims(), axis);
  std::size_t points = in.length();
  if (attrs.inverse && attrs.onesided) points = out.length();
  if (ctx.Has(1)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(1)));
    points = static_cast<std::size_t>(given[0]);
  }
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<T>(0);
    std::vector<Complex> line(points);
    for (std::size_t l = 0; l < in.count(); ++l) {
      std::fill(line.begin(), line.end(), Complex(0));
      for (std::size_t i = 0; i < std::min(points, in.length()); ++i) {
        const std::size_t at = in.at(l, i);
        line[i] = Complex(static_cast<double>(x[at]),
                          in.parts() == 2 ? static_cast<double>(x[at + 1]) : 0.0);
      }
      if (attrs.inverse && attrs.onesided) Mirror(line);
      const std::vector<Complex> result = Fourier(line, attrs.inverse);
      for (std::size_t i = 0; i < out.length(); ++i) {
        const std::size_t at = out.at(l, i);
        y[at] = FromDouble<T>(result[i].real());
        if (out.parts() == 2) y[at + 1] = FromDouble<T>(result[i].imag());
      }
    }
    return {};
  });
}

// ---- STFT

Status InferStft(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<StftAttrs>();
  const Type& signal = ctx.In(0);
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, signal.dtype, [](auto) { return Status(); }));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  Shape shape(4);
  shape[3] = 2;
  ctx.out[0] = Type::Tensor(signal.dtype, shape);
  if (!signal.HasRank()) return {};
  if (attrs.onesided && signal.dim(2).Is(2))
    return InvalidModel("onesided needs a real signal; {} is complex", signal.ToString());
  shape[0] = signal.dim(0);
  Dim length = signal.dim(1);
  if (ctx.Has(3)) {
    ATH_TRY(const std::optional<std::int64_t> given, ScalarInput(ctx, 3));
    length = given ? Dim(*given) : Dim();
  } else if (ctx.Has(2)) {
    length = ctx.In(2).HasRank() ? ctx.In(2).dim(0) : Dim();
  }
  if (length.IsConst()) ATH_RETURN_IF_ERROR(CheckLength(length.value()));
  if (ctx.Has(2) && ctx.In(2).HasRank() && ctx.In(2).dim(0).IsConst() && length.IsConst() &&
      ctx.In(2).dim(0).value() != length.value()) {
    return InvalidModel("the window has {} values, a frame {}", ctx.In(2).dim(0).value(),
                        length.value());
  }
  ATH_TRY(const std::optional<std::int64_t> step, ScalarInput(ctx, 1));
  if (step && *step < 1) return InvalidModel("frame_step is {}; 1 or more is expected", *step);
  if (step) shape[1] = FloorDiv(signal.dim(1) - length, Dim(*step)) + Dim(1);
  if (shape[1].IsConst() && shape[1].value() < 1)
    return InvalidModel("{} is shorter than a frame of {}", signal.ToString(), length.ToString());
  shape[2] = attrs.onesided ? FloorDiv(length, 2) + Dim(1) : length;
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status StftReference(RefCtx& ctx) {
  ATH_TRY(const std::vector<std::int64_t> step, ToInts(ctx.In(1)));
  const auto samples = static_cast<std::size_t>(ctx.In(0).dim(1));
  const auto parts = static_cast<std::size_t>(ctx.In(0).dim(2));
  std::size_t length = samples;
  std::vector<double> window;
  if (ctx.Has(2)) {
    ATH_TRY(window, ToDoubles(ctx.In(2)));
    length = window.size();
  }
  if (ctx.Has(3)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(3)));
    length = static_cast<std::size_t>(given[0]);
  }
  if (window.empty()) window.assign(length, 1.0);
  const auto frames = static_cast<std::size_t>(ctx.Out(0).dim(1));
  const auto bins = static_cast<std::size_t>(ctx.Out(0).dim(2));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    auto y = ctx.OutData<T>(0).begin();
    std::vector<Complex> frame(length);
    for (std::size_t at = 0; at < static_cast<std::size_t>(ctx.Out(0).dim(0)) * frames; ++at) {
      const std::size_t begin =
          at / frames * samples + at % frames * static_cast<std::size_t>(step[0]);
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t from = (begin + i) * parts;
        frame[i] = window[i] * Complex(static_cast<double>(x[from]),
                                       parts == 2 ? static_cast<double>(x[from + 1]) : 0.0);
      }
      const std::vector<Complex> spectrum = Fourier(frame, false);
      for (std::size_t i = 0; i < bins; ++i) {
        *y++ = FromDouble<T>(spectrum[i].real());
        *y++ = FromDouble<T>(spectrum[i].imag());
      }
    }
    return {};
  });
}

}  // namespace

OpDef DFT() {
  return {
      .name = "DFT",
      .summary =
          "Discrete Fourier transform along one axis, of any length; the signal is cut or filled "
          "up with zeros to dft_length.",
      .inputs = {{"input", "[..., 1] real or [..., 2] complex, floating point"},
                 {"dft_length",
                  "integer scalar; the length of the axis when omitted, or twice the "
                  "length less 1 for an inverse of one side",
                  kOptionalPort},
                 {"axis", "i64 scalar, -2 when omitted", kOptionalPort}},
      .outputs = {{"output", "[..., 2]; [..., 1] for an inverse of one side"}},
      .attributes = Describe<DftAttrs>(),
      .infer = InferDft,
      .reference = DftReference,
  };
}

OpDef STFT() {
  return {
      .name = "STFT",
      .summary = "Fourier transforms of overlapping, windowed frames of a signal.",
      .inputs = {{"signal", "[batch, samples, 1] real or [batch, samples, 2] complex"},
                 {"frame_step", "integer scalar: samples between frames"},
                 {"window", "[frame_length]; ones when omitted", kOptionalPort},
                 {"frame_length", "integer scalar; the length of the window when omitted",
                  kOptionalPort}},
      .outputs = {{"output", "[batch, frames, frequencies, 2]"}},
      .attributes = Describe<StftAttrs>(),
      .infer = InferStft,
      .reference = StftReference,
  };
}

}  // namespace athanor::ops
