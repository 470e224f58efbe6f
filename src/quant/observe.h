// What values the tensors of a graph take on samples.
//
// Deterministic: samples are taken in the order given, values are counted in
// whole numbers or summed in that order; the same samples give the same figures
// for any number of threads.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "ir/graph.h"
#include "quant/histogram.h"

namespace athanor::quant {

// Of the values at one index of an axis.
struct ChannelStats {
  double mean = 0, deviation = 0;
  float low = 0, high = 0;
};

struct Observed {
  Range all;            // the smallest and the largest value of all samples
  Range inner;          // the same after the rarest values of each sample were cut off
  Range average;        // moving average of the samples' ends
  Histogram histogram;  // empty unless it was asked for
  std::vector<ChannelStats> channels = {};  // of the axis that was asked for
};

// One datum per graph input; sample `i` of `count`.
using SampleSource = std::function<Result<std::vector<Datum>>(std::size_t i)>;

struct Watch {
  ValueId value = kNoValue;
  std::optional<std::int64_t> channel_axis = {};  // negative counts from the end
};

struct ObserveOptions {
  double tail = 0;          // the share cut off at each end for Observed::inner; 0: none
  bool histograms = false;  // a second run of all samples
  int threads = 0;
  bool optimize =
      false;  // pass the graph through the portable passes; a graph with pairs needs them
  std::function<void()> after_sample = {};  // for progress
};

using Observations = std::map<ValueId, Observed>;

// Runs a graph and hands out values from its inside.
class Watcher {
 public:
  // Called for each watched f32 tensor of each sample, in order.
  using Look = std::function<Status(std::size_t watch, const Tensor& tensor)>;

  static Result<Watcher> Open(const Graph& graph, const std::vector<Watch>& watched,
                              const ObserveOptions& options);
  Watcher(Watcher&&) noexcept;
  Watcher& operator=(Watcher&&) noexcept;
  ~Watcher();

  Status ForEach(std::size_t count, const SampleSource& source, const Look& look);

 private:
  struct Parts;
  explicit Watcher(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// Looks at values on all samples. One that is not finite is an error that names it.
Result<Observations> Observe(const Graph& graph, const std::vector<Watch>& watched,
                             std::size_t count, const SampleSource& source,
                             const ObserveOptions& options);

}  // namespace athanor::quant
