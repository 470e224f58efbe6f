// What values the tensors of a graph take on samples: ranges and means.
//
// Deterministic: samples are taken in the order given, values are counted in
// whole numbers or summed in that order; the same samples give the same ranges
// for any number of threads.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "ir/graph.h"

namespace athanor::quant {

struct Range {
  float low = 0, high = 0;
};

struct Observed {
  Range range;
  std::vector<double> means = {};  // per index of the axis that was asked for
};

enum class RangeMethod : std::uint8_t {
  kMinMax,      // the smallest and the largest of all samples
  kPercentile,  // of each sample the share `tail` at each end is cut off
  kMse,         // where the mean square error of 8 bits is smallest, from a histogram;
                // a second run
};

struct RangeOptions {
  RangeMethod method = RangeMethod::kMinMax;
  double tail = 1e-4;
  int threads = 0;
  std::function<void()> after_sample = {};  // for progress; see RunsPerSample
};

// How often the graph runs on each sample.
int RunsPerSample(RangeMethod method);

// One datum per graph input; sample `i` of `count`.
using SampleSource = std::function<Result<std::vector<Datum>>(std::size_t i)>;

struct Watch {
  ValueId value = kNoValue;
  std::optional<std::int64_t> means_axis = {};  // negative counts from the end
};

// Runs the graph on the samples and looks at values. One that is not finite is
// an error that names it.
Result<std::map<ValueId, Observed>> Observe(const Graph& graph, const std::vector<Watch>& watched,
                                            std::size_t count, const SampleSource& source,
                                            const RangeOptions& options);

}  // namespace athanor::quant
