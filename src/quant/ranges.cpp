#include "quant/ranges.h"

#include <algorithm>
#include <cmath>

#include "quant/histogram.h"
#include "runtime/session.h"

namespace athanor::quant {
namespace {

// What is kept of one value.
struct Seen {
  bool any = false;
  Range range;                    // of all samples
  std::vector<double> sums = {};  // per channel
  std::int64_t per_channel = 0;   // elements that were summed
  Histogram histogram;
};

void Widen(Seen& seen, Range range) {
  seen.range.low = seen.any ? std::min(seen.range.low, range.low) : range.low;
  seen.range.high = seen.any ? std::max(seen.range.high, range.high) : range.high;
  seen.any = true;
}

// The values that cut `tail` of all elements off at each end.
Range Inner(std::span<const float> data, double tail) {
  std::vector<float> values(data.begin(), data.end());
  const auto cut =
      static_cast<std::ptrdiff_t>(std::floor(tail * static_cast<double>(values.size())));
  const auto low = values.begin() + cut, high = values.end() - 1 - cut;
  std::nth_element(values.begin(), low, values.end());
  const float smallest = *low;
  std::nth_element(values.begin(), high, values.end());
  return {smallest, *high};
}

void AddMeans(const Tensor& tensor, std::int64_t axis, Seen& seen) {
  if (axis < 0) axis += tensor.rank();
  if (axis < 0 || axis >= tensor.rank()) return;
  const auto channels = static_cast<std::size_t>(tensor.dim(axis));
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; i < tensor.rank(); ++i)
    inner *= static_cast<std::size_t>(tensor.dim(i));
  seen.sums.resize(channels, 0.0);
  const std::span<const float> data = tensor.Data<float>();
  for (std::size_t i = 0, channel = 0; i < data.size(); i += inner) {
    double sum = 0;
    for (std::size_t j = 0; j < inner; ++j) sum += data[i + j];
    seen.sums[channel] += sum;
    channel = channel + 1 == channels ? 0 : channel + 1;
  }
  seen.per_channel += tensor.count() / static_cast<std::int64_t>(channels);
}

Status Look(const Graph& graph, const Watch& watch, const Tensor& tensor,
            const RangeOptions& options, Seen& seen) {
  const std::span<const float> data = tensor.Data<float>();
  if (data.empty()) return {};
  const auto [low, high] = std::minmax_element(data.begin(), data.end());
  // A NaN compares with nothing: a sum finds it wherever it is.
  float sum = 0;
  for (const float value : data) sum += value * 0.0F;
  if (!std::isfinite(*low) || !std::isfinite(*high) || std::isnan(sum))
    return DataError("value \"{}\" is not finite on a sample", graph.value(watch.value).name);
  Widen(seen, options.method == RangeMethod::kPercentile ? Inner(data, options.tail)
                                                         : Range{*low, *high});
  if (watch.means_axis) AddMeans(tensor, *watch.means_axis, seen);
  return {};
}

class Observer {
 public:
  Observer(const Graph& graph, const std::vector<Watch>& watched, const RangeOptions& options)
      : graph_(graph), watched_(watched), options_(options), seen_(watched.size()) {}

  Status Start() {
    // As outputs of the graph the values are not fused away.
    Graph open = graph_.Clone();
    own_outputs_ = open.outputs().size();
    for (std::size_t i = 0; i < watched_.size(); ++i)
      open.AddOutput(fmt::format("watched {}", i), watched_[i].value);
    ATH_TRY(session_,
            Session::Create(std::move(open), {.threads = options_.threads, .optimize = false}));
    return {};
  }

  template <class F>
  Status ForEachSample(std::size_t count, const SampleSource& source, const F& look) {
    for (std::size_t sample = 0; sample < count; ++sample) {
      ATH_TRY(std::vector<Datum> inputs, source(sample));
      ATH_TRY(const std::vector<Datum> outputs, session_->Run(std::move(inputs)));
      for (std::size_t i = 0; i < watched_.size(); ++i) {
        const Datum& value = outputs[own_outputs_ + i];
        if (!value.IsTensor() || value.tensor().dtype() != DType::kF32) continue;
        ATH_RETURN_IF_ERROR(look(watched_[i], value.tensor(), seen_[i]));
      }
      if (options_.after_sample) options_.after_sample();
    }
    return {};
  }

  Status Run(std::size_t count, const SampleSource& source) {
    ATH_RETURN_IF_ERROR(
        ForEachSample(count, source, [this](const Watch& watch, const Tensor& tensor, Seen& seen) {
          return Look(graph_, watch, tensor, options_, seen);
        }));
    if (options_.method != RangeMethod::kMse) return {};
    for (Seen& seen : seen_) seen.histogram = Histogram(seen.range);
    ATH_RETURN_IF_ERROR(
        ForEachSample(count, source, [](const Watch&, const Tensor& tensor, Seen& seen) {
          seen.histogram.Add(tensor.Data<float>());
          return Status();
        }));
    for (Seen& seen : seen_) seen.range = seen.histogram.BestForBytes();
    return {};
  }

  std::map<ValueId, Observed> Results() const {
    std::map<ValueId, Observed> results;
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      const Seen& seen = seen_[i];
      if (!seen.any) continue;
      Observed observed = {.range = seen.range, .means = seen.sums};
      for (double& mean : observed.means) mean /= static_cast<double>(seen.per_channel);
      results[watched_[i].value] = std::move(observed);
    }
    return results;
  }

 private:
  const Graph& graph_;
  const std::vector<Watch>& watched_;
  const RangeOptions& options_;
  std::vector<Seen> seen_;
  std::size_t own_outputs_ = 0;
  std::unique_ptr<Session> session_;
};

}  // namespace

int RunsPerSample(RangeMethod method) { return method == RangeMethod::kMse ? 2 : 1; }

Result<std::map<ValueId, Observed>> Observe(const Graph& graph, const std::vector<Watch>& watched,
                                            std::size_t count, const SampleSource& source,
                                            const RangeOptions& options) {
  Observer observer(graph, watched, options);
  ATH_RETURN_IF_ERROR(observer.Start());
  ATH_RETURN_IF_ERROR(observer.Run(count, source));
  return observer.Results();
}

}  // namespace athanor::quant
