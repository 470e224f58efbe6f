// DFT and STFT of floats, computed in double; lines or frames are shared between threads.
#include <algorithm>

#include "kernels/signal/fourier_plan.h"
#include "kernels/signal/signal.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

constexpr std::int64_t kMostPoints = 1 << 24;

struct State {
  FourierPlan plan;
  bool inverse = false, mirrored = false;
  // DFT: lines of the input and of the result.
  AxisShape in, out;  // `inner` without the parts
  std::int64_t parts_in = 1, parts_out = 2;
  // STFT
  std::int64_t samples = 0, step = 1, frames = 0, bins = 0, signals = 0;
  bool windowed = false;
};

Complex Read(const float* x, std::int64_t parts) {
  return {static_cast<double>(x[0]), parts == 2 ? static_cast<double>(x[1]) : 0.0};
}

void Write(Complex value, float* y, std::int64_t parts) {
  y[0] = static_cast<float>(value.real);
  if (parts == 2) y[1] = static_cast<float>(value.imag);
}

// An optional scalar; nothing when the model computes it.
std::optional<std::int64_t> Scalar(const KernelQuery& q, std::size_t i, std::int64_t otherwise) {
  if (!q.Has(i)) return otherwise;
  const auto given = q.ConstInts(i);
  if (!given || given->size() != 1) return std::nullopt;
  return given->front();
}

std::optional<std::int64_t> DftAxis(const KernelQuery& q) {
  const auto axis = Scalar(q, 2, -2);
  if (!axis) return std::nullopt;
  const std::int64_t at = *axis < 0 ? *axis + q.in[0].rank() : *axis;
  if (at < 0 || at >= q.in[0].rank() - 1) return std::nullopt;
  return at;
}

std::optional<std::int64_t> DftLength(const KernelQuery& q, std::int64_t axis) {
  const bool of_result = q.Int("inverse") != 0 && q.Int("onesided") != 0;
  return Scalar(q, 1, (of_result ? q.out[0] : q.in[0]).dims[static_cast<std::size_t>(axis)]);
}

Fit FitsDft(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  const auto axis = DftAxis(q);
  const auto length = axis ? DftLength(q, *axis) : std::nullopt;
  if (!length) return Fit::No("its length or axis is computed by the model");
  if (*length < 1 || *length > kMostPoints || q.in[0].count() == 0)
    return Fit::No("1 to 2^24 points only");
  return Fit::Yes();
}

double TransformNs(std::int64_t length) {
  double levels = 1;
  for (std::int64_t n = 1; n < length; n *= 2) ++levels;
  const bool direct = (length & (length - 1)) == 0;
  return (direct ? 1 : 5) * 2 * levels * static_cast<double>(length);
}

double CostDft(const KernelQuery& q) {
  const std::int64_t length = *DftLength(q, *DftAxis(q));
  const double lines =
      static_cast<double>(q.in[0].count()) / static_cast<double>(q.in[0].dims.back() * length);
  return 200 + lines * TransformNs(length);
}

// The tensor along the axis, its parts of complex numbers left out.
AxisShape Lines(const Dims& dims, std::int64_t axis) {
  return AxisShape::Of(std::span(dims).first(dims.size() - 1), axis);
}

Result<Prepared> PrepareDft(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const std::int64_t axis = *DftAxis(q);
  state->plan = FourierPlan(*DftLength(q, axis));
  state->inverse = q.Int("inverse") != 0;
  state->mirrored = state->inverse && q.Int("onesided") != 0;
  state->in = Lines(q.in[0].dims, axis);
  state->out = Lines(q.out[0].dims, axis);
  state->parts_in = q.in[0].dims.back();
  state->parts_out = q.out[0].dims.back();
  return Prepared{state,
                  q.threads * state->plan.room() * static_cast<std::int64_t>(sizeof(Complex))};
}

// The whole spectrum of a real signal from its first half.
void Mirror(Complex* line, std::int64_t n) {
  for (std::int64_t k = n / 2 + 1; k < n; ++k) line[k] = line[n - k].Conjugate();
  line[0].imag = 0;
  if (n % 2 == 0) line[n / 2].imag = 0;
}

void RunDft(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::int64_t length = s.plan.length(), inner = s.in.inner;
  Parallel(args, s.in.outer * inner, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    Complex* const line = reinterpret_cast<Complex*>(args.scratch) + thread * s.plan.room();
    for (std::int64_t l = begin; l < end; ++l) {
      const float* x = args.In(0) + (l / inner * s.in.length * inner + l % inner) * s.parts_in;
      float* y = args.Out(0) + (l / inner * s.out.length * inner + l % inner) * s.parts_out;
      const std::int64_t given = std::min(length, s.in.length);
      for (std::int64_t i = 0; i < given; ++i)
        line[i] = Read(x + i * inner * s.parts_in, s.parts_in);
      std::fill(line + given, line + length, Complex());
      if (s.mirrored) Mirror(line, length);
      s.plan.Run(line, s.inverse);
      for (std::int64_t i = 0; i < s.out.length; ++i)
        Write(line[i], y + i * inner * s.parts_out, s.parts_out);
    }
  });
}

// ---- STFT: inputs signal, frame step, window, frame length.

std::optional<std::int64_t> FrameLength(const KernelQuery& q) {
  return Scalar(q, 3, q.Has(2) ? q.in[2].count() : q.in[0].dims[1]);
}

Fit FitsStft(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  const auto length = FrameLength(q), step = Scalar(q, 1, 1);
  if (!length || !step) return Fit::No("its frames are computed by the model");
  if (*length < 1 || *length > kMostPoints || *step < 1 || q.out[0].count() == 0)
    return Fit::No("1 to 2^24 points only");
  if (q.Has(2) && q.in[2].count() != *length) return Fit::No("the window is no frame");
  return Fit::Yes();
}

double CostStft(const KernelQuery& q) {
  return 200 +
         static_cast<double>(q.out[0].dims[0] * q.out[0].dims[1]) * TransformNs(*FrameLength(q));
}

Result<Prepared> PrepareStft(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->plan = FourierPlan(*FrameLength(q));
  state->signals = q.in[0].dims[0];
  state->samples = q.in[0].dims[1];
  state->parts_in = q.in[0].dims[2];
  state->step = *Scalar(q, 1, 1);
  state->frames = q.out[0].dims[1];
  state->bins = q.out[0].dims[2];
  state->windowed = q.Has(2);
  return Prepared{state,
                  q.threads * state->plan.room() * static_cast<std::int64_t>(sizeof(Complex))};
}

void RunStft(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.signals * s.frames, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    Complex* const frame = reinterpret_cast<Complex*>(args.scratch) + thread * s.plan.room();
    for (std::int64_t f = begin; f < end; ++f) {
      const std::int64_t first = f / s.frames * s.samples + f % s.frames * s.step;
      const float* x = args.In(0) + first * s.parts_in;
      for (std::int64_t i = 0; i < s.plan.length(); ++i) {
        frame[i] = Read(x + i * s.parts_in, s.parts_in);
        if (!s.windowed) continue;
        const auto weight = static_cast<double>(args.In(2)[i]);
        frame[i] = {weight * frame[i].real, weight * frame[i].imag};
      }
      s.plan.Run(frame, false);
      for (std::int64_t k = 0; k < s.bins; ++k)
        Write(frame[k], args.Out(0) + (f * s.bins + k) * 2, 2);
    }
  });
}

}  // namespace

std::vector<KernelDef> FourierKernels() {
  return {{.name = "DFT.double",
           .op = "DFT",
           .fits = FitsDft,
           .cost_ns = CostDft,
           .prepare = PrepareDft,
           .run = RunDft},
          {.name = "STFT.double",
           .op = "STFT",
           .fits = FitsStft,
           .cost_ns = CostStft,
           .prepare = PrepareStft,
           .run = RunStft}};
}

}  // namespace athanor::kernels
