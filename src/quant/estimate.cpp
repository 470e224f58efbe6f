#include "quant/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace athanor::quant {
namespace {

// A range narrower than this is as good as nothing.
constexpr double kNothing = 1e-30;
constexpr std::uint8_t kMiddle = 128;  // of u8

double SquareError(const Histogram& histogram, Range range) {
  const double step = (static_cast<double>(range.high) - range.low) / 255;
  double error = 0;
  for (std::size_t bin = 0; bin < Histogram::kBins; ++bin) {
    const auto count = static_cast<double>(histogram.counts()[bin]);
    if (count == 0) continue;
    const double at = histogram.Middle(bin);
    const double beyond = std::max({0.0, range.low - at, at - range.high});
    error += count * (beyond > 0 ? beyond * beyond : step * step / 12);
  }
  return error;
}

// Counts of |x| in bins of equal width from 0.
struct Magnitudes {
  double most = 0;
  std::vector<double> counts = std::vector<double>(Histogram::kBins, 0.0);
};

Magnitudes MagnitudesOf(const Histogram& histogram) {
  const Range range = histogram.range();
  Magnitudes result;
  result.most =
      std::max(std::abs(static_cast<double>(range.low)), std::abs(static_cast<double>(range.high)));
  for (std::size_t bin = 0; bin < Histogram::kBins; ++bin) {
    const double at = std::abs(histogram.Middle(bin)) / result.most * Histogram::kBins;
    result.counts[std::min(static_cast<std::size_t>(at), Histogram::kBins - 1)] +=
        static_cast<double>(histogram.counts()[bin]);
  }
  return result;
}

// Between the first `kept` bins with the rest added to the last of them, and the
// same bins as `levels` levels see them.
double Divergence(const std::vector<double>& counts, std::size_t kept, std::size_t levels) {
  constexpr double kLeast = 1e-9;  // share of a bin that the levels lost
  std::vector<double> level_sum(levels, 0.0);
  std::vector<int> level_bins(levels, 0);
  double inside = 0, beyond = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    inside += counts[i];
    level_sum[i * levels / kept] += counts[i];
    level_bins[i * levels / kept] += counts[i] > 0 ? 1 : 0;
  }
  for (std::size_t i = kept; i < counts.size(); ++i) beyond += counts[i];
  if (inside == 0) return std::numeric_limits<double>::infinity();
  double divergence = 0;
  for (std::size_t i = 0; i < kept; ++i) {
    const double p = (counts[i] + (i + 1 == kept ? beyond : 0)) / (inside + beyond);
    if (p == 0) continue;
    const std::size_t level = i * levels / kept;
    const double q = counts[i] > 0 ? level_sum[level] / level_bins[level] / inside : 0;
    divergence += p * std::log(p / std::max(q, kLeast));
  }
  return divergence;
}

// Where a falling function of a positive number meets zero.
template <class F>
double Root(const F& falling) {
  double low = 0, high = 64;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (falling(middle) > 0 ? low : high) = middle;
  }
  return (low + high) / 2;
}

// Mean, mean distance from it and deviation, from the middles of the bins. Of
// values on one side of 0 the distance is from 0, and zeros do not count: they
// are what an activation cut off.
struct Moments {
  double mean = 0, distance = 0, deviation = 0;
};
Moments MomentsOf(const Histogram& histogram, bool one_sided) {
  Moments moments;
  double n = 0, sum = 0;
  const auto counts = [&](std::size_t bin) {
    const double at = histogram.Middle(bin);
    const bool is_zero = one_sided && std::abs(at) < histogram.width();
    return is_zero ? 0.0 : static_cast<double>(histogram.counts()[bin]);
  };
  for (std::size_t bin = 0; bin < Histogram::kBins; ++bin) {
    n += counts(bin);
    sum += counts(bin) * histogram.Middle(bin);
  }
  if (n == 0) return moments;
  moments.mean = one_sided ? 0 : sum / n;
  for (std::size_t bin = 0; bin < Histogram::kBins; ++bin) {
    const double away = histogram.Middle(bin) - moments.mean;
    moments.distance += counts(bin) * std::abs(away) / n;
    moments.deviation += counts(bin) * away * away / n;
  }
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

Range Within(Range range, double low, double high) {
  return {static_cast<float>(std::max<double>(range.low, low)),
          static_cast<float>(std::min<double>(range.high, high))};
}

double ByteError(Range range, std::span<const float> values) {
  const ByteScale by = ScaleFor(range);
  const double low = -static_cast<double>(by.zero), high = 255.0 - by.zero;
  double error = 0;
  for (const float value : values) {
    const double q = std::clamp(std::nearbyint(value / static_cast<double>(by.scale)), low, high);
    const double away = value - q * by.scale;
    error += away * away;
  }
  return error;
}

}  // namespace

ByteScale ScaleFor(Range range) {
  const float low = std::min(range.low, 0.0F), high = std::max(range.high, 0.0F);
  // In double: the difference of two floats may overflow one.
  const double width = static_cast<double>(high) - low;
  if (width < kNothing) return {.zero = range.symmetric ? kMiddle : std::uint8_t{0}};
  if (range.symmetric) return {std::max(-low, high) / (kMiddle - 1), kMiddle};
  const auto scale = static_cast<float>(width / 255);
  const double zero = std::nearbyint(-static_cast<double>(low) / scale);
  return {scale, static_cast<std::uint8_t>(std::clamp(zero, 0.0, 255.0))};
}

Range Mirrored(Range range) {
  const float most = std::max(std::abs(range.low), std::abs(range.high));
  return {-most, most, true};
}

Range LeastSquareError(const Histogram& histogram) {
  if (histogram.counts().empty()) return histogram.range();
  constexpr int kSteps = 128;
  const Range whole = {std::min(histogram.range().low, 0.0F),
                       std::max(histogram.range().high, 0.0F)};
  Range best = whole;
  double least = SquareError(histogram, whole);
  for (int i = kSteps - 1; i >= kSteps / 8; --i) {
    const float share = static_cast<float>(i) / kSteps;
    const Range part = {whole.low * share, whole.high * share};
    const double error = SquareError(histogram, part);
    if (error >= least) continue;
    least = error;
    best = part;
  }
  return best;
}

Range LeastDivergence(const Histogram& histogram) {
  const Range range = histogram.range();
  if (histogram.counts().empty()) return range;
  const Magnitudes magnitudes = MagnitudesOf(histogram);
  // Bytes have 255 steps for one side of 0, half of them for each of two sides.
  const std::size_t levels = range.low >= 0 || range.high <= 0 ? 255 : 128;
  std::size_t best = Histogram::kBins;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t kept = levels; kept <= Histogram::kBins; ++kept) {
    const double divergence = Divergence(magnitudes.counts, kept, levels);
    if (divergence > least) continue;
    least = divergence;
    best = kept;
  }
  const double threshold = static_cast<double>(best) / Histogram::kBins * magnitudes.most;
  return Within(range, -threshold, threshold);
}

// exp(-a) = a / (3 * 4^bits): what clipping adds equals what longer steps add.
double LaplaceClip(int bits) {
  const double levels = 3 * std::pow(4.0, bits);
  return Root([&](double a) { return std::exp(-a) - a / levels; });
}

// density(a) - a * tail(a) = a / (6 * 4^bits).
double NormalClip(int bits) {
  const double levels = 6 * std::pow(4.0, bits);
  return Root([&](double a) {
    const double density = std::exp(-a * a / 2) / std::sqrt(2 * std::numbers::pi);
    const double tail = std::erfc(a / std::numbers::sqrt2) / 2;
    return density - a * tail - a / levels;
  });
}

Range AnalyticClip(const Histogram& histogram) {
  const Range range = histogram.range();
  if (histogram.counts().empty()) return range;
  const bool one_sided = range.low >= 0 || range.high <= 0;
  const Moments moments = MomentsOf(histogram, one_sided);
  if (moments.deviation < kNothing) return range;
  // One side alone has all 8 bits: as if both had 9.
  const int bits = one_sided ? 9 : 8;
  // mean|x| / deviation is 0.707 for Laplace's distribution and 0.798 for the normal one.
  const double laplace = 1 / std::numbers::sqrt2, normal = std::sqrt(2 / std::numbers::pi);
  const double shape = moments.distance / moments.deviation;
  const double clip = std::abs(shape - laplace) < std::abs(shape - normal)
                          ? LaplaceClip(bits) * moments.distance
                          : NormalClip(bits) * moments.deviation;
  return Within(range, moments.mean - clip, moments.mean + clip);
}

const std::vector<Estimator>& Estimators() {
  static const std::vector<Estimator> list = {
      {.name = "minmax",
       .summary = "the smallest and the largest value of all samples",
       .estimate = [](const Observed& seen) { return seen.all; }},
      {.name = "percentile",
       .summary = "the same after the rarest values of each sample were cut off",
       .needs_tail = true,
       .estimate = [](const Observed& seen) { return seen.inner; }},
      {.name = "average",
       .summary = "moving average of the ends of each sample",
       .estimate = [](const Observed& seen) { return seen.average; }},
      {.name = "mse",
       .summary = "least square error of 8 bits",
       .needs_histogram = true,
       .estimate = [](const Observed& seen) { return LeastSquareError(seen.histogram); }},
      {.name = "entropy",
       .summary = "least loss of information (Kullback-Leibler)",
       .needs_histogram = true,
       .estimate = [](const Observed& seen) { return LeastDivergence(seen.histogram); }},
      {.name = "aciq",
       .summary = "the best clip of a Laplace or normal distribution",
       .needs_histogram = true,
       .estimate = [](const Observed& seen) { return AnalyticClip(seen.histogram); }},
  };
  return list;
}

const Estimator* FindEstimator(std::string_view name) {
  const auto& list = Estimators();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const Estimator& one) { return one.name == name; });
  return found == list.end() ? nullptr : &*found;
}

namespace {

bool NeedsHistograms(const RangeOptions& options) {
  const Estimator* one = FindEstimator(options.method);
  return options.histograms || one == nullptr || one->needs_histogram;
}

// The range of each estimator for each value, and what its bytes lose on all samples.
Status ChooseEach(const Graph& graph, const std::vector<Watch>& watched, std::size_t count,
                  const SampleSource& source, const ObserveOptions& options, bool symmetric,
                  Calibration& calibration) {
  const std::vector<Estimator>& list = Estimators();
  std::vector<std::vector<Range>> ranges(watched.size());
  std::vector<std::vector<double>> errors(watched.size(), std::vector<double>(list.size(), 0.0));
  for (std::size_t i = 0; i < watched.size(); ++i) {
    const auto at = calibration.find(watched[i].value);
    if (at == calibration.end()) continue;
    for (const Estimator& one : list) {
      const Range range = one.estimate(at->second.seen);
      ranges[i].push_back(symmetric ? Mirrored(range) : range);
    }
  }
  ATH_TRY(Watcher watcher, Watcher::Open(graph, watched, options));
  ATH_RETURN_IF_ERROR(watcher.ForEach(count, source, [&](std::size_t i, const Tensor& tensor) {
    for (std::size_t j = 0; j < ranges[i].size(); ++j)
      errors[i][j] += ByteError(ranges[i][j], tensor.Data<float>());
    return Status();
  }));
  for (std::size_t i = 0; i < watched.size(); ++i) {
    if (ranges[i].empty()) continue;
    // The first of those that are equally good.
    const auto best = static_cast<std::size_t>(
        std::min_element(errors[i].begin(), errors[i].end()) - errors[i].begin());
    Calibrated& value = calibration[watched[i].value];
    value.range = ranges[i][best];
    value.method = list[best].name;
  }
  return {};
}

}  // namespace

int RunsPerSample(const RangeOptions& options) {
  return 1 + (NeedsHistograms(options) ? 1 : 0) + (options.method == kAuto ? 1 : 0);
}

Result<Calibration> Calibrate(const Graph& graph, const std::vector<Watch>& watched,
                              std::size_t count, const SampleSource& source,
                              const RangeOptions& options) {
  const Estimator* one = FindEstimator(options.method);
  if (one == nullptr && options.method != kAuto)
    return Error(ErrorCode::kUsage, "there is no way to choose ranges named \"{}\"",
                 options.method);
  ObserveOptions how = {.histograms = NeedsHistograms(options),
                        .threads = options.threads,
                        .after_sample = options.after_sample};
  if (one == nullptr || one->needs_tail) how.tail = options.tail;
  ATH_TRY(Observations seen, Observe(graph, watched, count, source, how));
  Calibration calibration;
  for (auto& [id, observed] : seen) {
    Calibrated& value = calibration[id];
    value.seen = std::move(observed);
    if (one == nullptr) continue;
    value.range = one->estimate(value.seen);
    if (options.symmetric) value.range = Mirrored(value.range);
    value.method = one->name;
  }
  if (one == nullptr)
    ATH_RETURN_IF_ERROR(
        ChooseEach(graph, watched, count, source, how, options.symmetric, calibration));
  return calibration;
}

}  // namespace athanor::quant
