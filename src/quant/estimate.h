// From what was seen of a tensor to the range that its 8 bits shall cover.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/observe.h"

namespace athanor::quant {

// Scale and zero point of u8 for a range; 0 is always exact, and the scale is
// always finite and positive. A symmetric range has the zero point 128 and the largest magnitude at
// 127 steps: as i8 that is 0, which TensorRT and others ask for.
struct ByteScale {
  float scale = 1;
  std::uint8_t zero = 0;
};
ByteScale ScaleFor(Range range);
// From the largest magnitude below 0 to that above it, and symmetric.
Range Mirrored(Range range);

struct Estimator {
  std::string_view name;
  std::string_view summary;
  bool needs_histogram = false;
  bool needs_tail = false;
  Range (*estimate)(const Observed& seen) = nullptr;
};

// minmax, percentile, average, mse, entropy, aciq.
const std::vector<Estimator>& Estimators();
// Nothing of that name: nullptr.
const Estimator* FindEstimator(std::string_view name);
// Chooses for each tensor the estimator whose bytes have the least square error
// on the samples; it needs a run of its own.
inline constexpr std::string_view kAuto = "auto";

struct RangeOptions {
  std::string method = "minmax";  // or kAuto
  double tail = 1e-4;             // of percentile
  bool symmetric = false;         // every range is mirrored
  bool histograms = false;        // wanted for a report
  bool apart = false;             // see FindCandidates
  int threads = 0;
  std::function<void()> after_sample = {};  // for progress; see RunsPerSample
};

// How often the graph runs on each sample.
int RunsPerSample(const RangeOptions& options);

struct Calibrated {
  Observed seen;
  Range range;
  std::string method;  // that chose the range
};
using Calibration = std::map<ValueId, Calibrated>;

// Observes the values and chooses the range of each.
Result<Calibration> Calibrate(const Graph& graph, const std::vector<Watch>& watched,
                              std::size_t count, const SampleSource& source,
                              const RangeOptions& options);

// ---- the estimators that are more than a look at the ends

// The part of the range, both ends drawn in by the same share, that minimises the
// square error of u8: half a step for what is inside, the distance to the end
// for what is outside.
Range LeastSquareError(const Histogram& histogram);
// The threshold that keeps most of the information about |x|: the least
// Kullback-Leibler divergence between what is kept and its 8-bit form (Migacz,
// "8-bit inference with TensorRT", 2017).
Range LeastDivergence(const Histogram& histogram);
// The best clip of the Laplace or normal distribution that the values resemble
// more (Banner et al., "ACIQ", 2018, section 3).
Range AnalyticClip(const Histogram& histogram);
// In units of the scale of the distribution (the mean of |x|; the deviation).
double LaplaceClip(int bits);
double NormalClip(int bits);

}  // namespace athanor::quant
