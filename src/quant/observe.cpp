#include "quant/observe.h"

#include <algorithm>
#include <cmath>

#include "quant/repeatable.h"
#include "runtime/session.h"

namespace athanor::quant {
namespace {

// Of the newest sample in the moving average, as in Jacob et al. 2018, section 3.1.
constexpr double kNewest = 0.1;

struct Sums {
  double sum = 0, squares = 0;
  Range range;
};

// What is kept of one value while samples come in.
struct Seen {
  bool any = false;
  Observed observed;
  double average_low = 0, average_high = 0;
  std::vector<Sums> channels = {};
  std::int64_t per_channel = 0;  // elements that were summed
};

void Widen(Range& range, Range by, bool any) {
  range.low = any ? std::min(range.low, by.low) : by.low;
  range.high = any ? std::max(range.high, by.high) : by.high;
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

void AddChannels(const Tensor& tensor, std::int64_t axis, Seen& seen) {
  if (axis < 0) axis += tensor.rank();
  if (axis < 0 || axis >= tensor.rank()) return;
  const auto channels = static_cast<std::size_t>(tensor.dim(axis));
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; i < tensor.rank(); ++i)
    inner *= static_cast<std::size_t>(tensor.dim(i));
  const bool any = !seen.channels.empty();
  seen.channels.resize(channels);
  const std::span<const float> data = tensor.Data<float>();
  for (std::size_t i = 0, channel = 0; i < data.size(); i += inner) {
    Sums& sums = seen.channels[channel];
    const auto row = data.subspan(i, inner);
    double sum = 0, squares = 0;
    for (const float value : row) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
    const auto [low, high] = std::minmax_element(row.begin(), row.end());
    Widen(sums.range, {*low, *high}, any || i / inner >= channels);
    sums.sum += sum;
    sums.squares += squares;
    channel = channel + 1 == channels ? 0 : channel + 1;
  }
  seen.per_channel += tensor.count() / static_cast<std::int64_t>(channels);
}

Status See(const Graph& graph, const Watch& watch, const Tensor& tensor, double tail, Seen& seen) {
  const std::span<const float> data = tensor.Data<float>();
  if (data.empty()) return {};
  const auto [low, high] = std::minmax_element(data.begin(), data.end());
  // A NaN compares with nothing: a sum finds it wherever it is.
  float sum = 0;
  for (const float value : data) sum += value * 0.0F;
  if (!std::isfinite(*low) || !std::isfinite(*high) || std::isnan(sum))
    return DataError("value \"{}\" is not finite on it", graph.value(watch.value).name);
  const Range whole = {*low, *high};
  Widen(seen.observed.all, whole, seen.any);
  Widen(seen.observed.inner, tail > 0 ? Inner(data, tail) : whole, seen.any);
  const double newest = seen.any ? kNewest : 1;
  seen.average_low += newest * (whole.low - seen.average_low);
  seen.average_high += newest * (whole.high - seen.average_high);
  if (watch.channel_axis) AddChannels(tensor, *watch.channel_axis, seen);
  seen.any = true;
  return {};
}

Observed Finished(Seen seen) {
  const auto n = static_cast<double>(seen.per_channel);
  seen.observed.average = {static_cast<float>(seen.average_low),
                           static_cast<float>(seen.average_high)};
  for (const Sums& sums : seen.channels) {
    const double mean = sums.sum / n;
    seen.observed.channels.push_back(
        {.mean = mean,
         .deviation = std::sqrt(std::max(0.0, sums.squares / n - mean * mean)),
         .low = sums.range.low,
         .high = sums.range.high});
  }
  return std::move(seen.observed);
}

}  // namespace

struct Watcher::Parts {
  std::size_t own_outputs = 0;
  std::size_t watched = 0;
  std::unique_ptr<Session> session;
  std::function<void()> after_sample;
};

Watcher::Watcher(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Watcher::Watcher(Watcher&&) noexcept = default;
Watcher& Watcher::operator=(Watcher&&) noexcept = default;
Watcher::~Watcher() = default;

Result<Watcher> Watcher::Open(const Graph& graph, const std::vector<Watch>& watched,
                              const ObserveOptions& options) {
  // As outputs of the graph the values are not fused away.
  Graph open = graph.Clone();
  auto parts = std::make_unique<Parts>();
  parts->own_outputs = open.outputs().size();
  parts->watched = watched.size();
  parts->after_sample = options.after_sample;
  for (std::size_t i = 0; i < watched.size(); ++i)
    open.AddOutput(fmt::format("watched {}", i), watched[i].value);
  ATH_TRY(parts->session,
          Session::Create(std::move(open), RepeatableOn(options.threads, options.optimize)));
  return Watcher(std::move(parts));
}

Status Watcher::ForEach(std::size_t count, const SampleSource& source, const Look& look) {
  for (std::size_t sample = 0; sample < count; ++sample) {
    ATH_TRY(std::vector<Datum> inputs, source(sample));
    ATH_TRY(const std::vector<Datum> outputs, parts_->session->Run(std::move(inputs)));
    for (std::size_t i = 0; i < parts_->watched; ++i) {
      const Datum& value = outputs[parts_->own_outputs + i];
      if (!value.IsTensor() || value.tensor().dtype() != DType::kF32) continue;
      Status looked = look(i, value.tensor());
      if (!looked.ok()) return std::move(looked).In(fmt::format("sample {}", sample));
    }
    if (parts_->after_sample) parts_->after_sample();
  }
  return {};
}

Result<Observations> Observe(const Graph& graph, const std::vector<Watch>& watched,
                             std::size_t count, const SampleSource& source,
                             const ObserveOptions& options) {
  ATH_TRY(Watcher watcher, Watcher::Open(graph, watched, options));
  std::vector<Seen> seen(watched.size());
  ATH_RETURN_IF_ERROR(watcher.ForEach(count, source, [&](std::size_t i, const Tensor& tensor) {
    return See(graph, watched[i], tensor, options.tail, seen[i]);
  }));
  if (options.histograms) {
    for (Seen& one : seen) one.observed.histogram = Histogram(one.observed.all);
    ATH_RETURN_IF_ERROR(watcher.ForEach(count, source, [&](std::size_t i, const Tensor& tensor) {
      seen[i].observed.histogram.Add(tensor.Data<float>());
      return Status();
    }));
  }
  Observations results;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    if (seen[i].any) results[watched[i].value] = Finished(std::move(seen[i]));
  }
  return results;
}

}  // namespace athanor::quant
