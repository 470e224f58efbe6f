// HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix, of any number type.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/signal/signal.h"
#include "ops/signal/scalars.h"

namespace athanor::kernels {
namespace {

using ops::FromDouble;

struct Series {
  std::string_view op;
  double a0, a1, a2;  // a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)
};

constexpr Series kSeries[] = {{"BlackmanWindow", 0.42, 0.5, 0.08},
                              {"HammingWindow", 25.0 / 46, 21.0 / 46, 0},
                              {"HannWindow", 0.5, 0.5, 0}};

struct State {
  void (*run)(const KernelArgs& args, const State& state) = nullptr;
  std::int64_t count = 0;
  double period = 1;
  Series series = {};
  // MelWeightMatrix
  std::int64_t mel_bins = 0, spectrum = 0;
  DType types[5] = {};
};

Fit Fits(const KernelQuery& q) {
  return IsOneOf(NumericTypes{}, q.out[0].dtype)
             ? Fit::Yes()
             : Fit::No(fmt::format("not for {}", Name(q.out[0].dtype)));
}

double Cost(const KernelQuery& q) { return 200 + 20 * static_cast<double>(q.out[0].count()); }

template <class T>
void RunWindow(const KernelArgs& args, const State& s) {
  Parallel(args, s.count, 1024, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t n = begin; n < end; ++n) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(n) / s.period;
      args.Out<T>(0)[n] = FromDouble<T>(s.series.a0 - s.series.a1 * std::cos(angle) +
                                        s.series.a2 * std::cos(2 * angle));
    }
  });
}

Result<Prepared> PrepareWindow(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->count = q.out[0].count();
  const bool periodic = q.Int("periodic") != 0;
  state->period =
      static_cast<double>(periodic ? state->count : std::max<std::int64_t>(state->count - 1, 1));
  state->series = *std::find_if(std::begin(kSeries), std::end(kSeries),
                                [&](const Series& row) { return row.op == q.op->name; });
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes{}, q.out[0].dtype, [&](auto tag) -> Status {
    state->run = RunWindow<typename decltype(tag)::Type>;
    return {};
  }));
  return Prepared{state, 0};
}

// ---- MelWeightMatrix: inputs are scalars, read when it runs.

enum Input : std::size_t { kMelBins, kLength, kRate, kLow, kHigh };

double Scalar(const KernelArgs& args, const State& s, Input i) {
  double value = 0;
  (void)Dispatch(NumericTypes{}, s.types[i], [&](auto tag) -> Status {
    value = static_cast<double>(*args.In<typename decltype(tag)::Type>(i));
    return {};
  });
  return value;
}

double MelFromHertz(double hertz) { return 2595 * std::log10(1 + hertz / 700); }
double HertzFromMel(double mel) { return 700 * (std::pow(10, mel / 2595) - 1); }

// Weights of one filter, a triangle from bin `left` over `centre` to `right`.
template <class T>
void WriteFilter(const State& s, std::int64_t mel, const std::int64_t* corners, T* y) {
  const std::int64_t left = corners[mel], centre = corners[mel + 1], right = corners[mel + 2];
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return FromDouble<T>(static_cast<double>(part) / static_cast<double>(whole));
  };
  for (std::int64_t bin = 0; bin < s.spectrum; ++bin) {
    T& weight = y[bin * s.mel_bins + mel];
    weight = FromDouble<T>(0);
    if (bin >= left && bin <= centre && left < centre) weight = share(bin - left, centre - left);
    if (bin >= centre && bin < right) weight = share(right - bin, right - centre);
    if (bin == centre && left == centre && centre >= right) weight = FromDouble<T>(1);
  }
}

template <class T>
void RunMel(const KernelArgs& args, const State& s) {
  const double rate = Scalar(args, s, kRate), low = Scalar(args, s, kLow),
               high = Scalar(args, s, kHigh), points = Scalar(args, s, kLength) + 1;
  auto* const corners = reinterpret_cast<std::int64_t*>(args.scratch);
  const double first = MelFromHertz(low);
  const double step = (MelFromHertz(high) - first) / static_cast<double>(s.mel_bins + 2);
  bool fits = rate >= 1 && low >= 0 && high >= low;
  for (std::int64_t i = 0; fits && i < s.mel_bins + 2; ++i) {
    const double bin =
        std::floor(points * HertzFromMel(first + step * static_cast<double>(i)) / rate);
    fits = bin < static_cast<double>(s.spectrum);
    corners[i] = fits ? static_cast<std::int64_t>(bin) : 0;
  }
  if (!fits) {
    args.data_error->store("the edges are not a band below half the sample rate",
                           std::memory_order_relaxed);
    return;
  }
  Parallel(args, s.mel_bins, 8, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t mel = begin; mel < end; ++mel) WriteFilter(s, mel, corners, args.Out<T>(0));
  });
}

Fit FitsMel(const KernelQuery& q) {
  for (std::size_t i = kRate; i <= kHigh; ++i) {
    if (q.in[i].count() != 1) return Fit::No("scalars only");
  }
  return Fits(q);
}

Result<Prepared> PrepareMel(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->spectrum = q.out[0].dims[0];
  state->mel_bins = q.out[0].dims[1];
  for (std::size_t i = 0; i < 5; ++i) state->types[i] = q.in[i].dtype;
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes{}, q.out[0].dtype, [&](auto tag) -> Status {
    state->run = RunMel<typename decltype(tag)::Type>;
    return {};
  }));
  return Prepared{state, 8 * (state->mel_bins + 2)};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.run(args, s);
}

}  // namespace

std::vector<KernelDef> SpectrumWindowKernels() {
  std::vector<KernelDef> defs;
  for (const Series& row : kSeries) {
    defs.push_back({.name = fmt::format("{}.series", row.op),
                    .op = std::string(row.op),
                    .fits = Fits,
                    .cost_ns = Cost,
                    .prepare = PrepareWindow,
                    .run = Run});
  }
  defs.push_back({.name = "MelWeightMatrix.filters",
                  .op = "MelWeightMatrix",
                  .fits = FitsMel,
                  .cost_ns = Cost,
                  .prepare = PrepareMel,
                  .run = Run});
  return defs;
}

}  // namespace athanor::kernels
