#include "quant/gram.h"

#include <algorithm>
#include <cmath>

#include "quant/patches.h"
#include "quant/shared_weights.h"

namespace athanor::quant {
namespace {

struct GramOf {
  NodeId node;
  Patches patches;
  std::optional<ByteScale> rounded = {};
  Gram gram = {};
  std::size_t places = 0;
};

void RoundToBytes(ByteScale by, std::vector<float>& values) {
  const float low = -static_cast<float>(by.zero), high = 255.0F - static_cast<float>(by.zero);
  for (float& value : values)
    value = std::clamp(std::nearbyint(value / by.scale), low, high) * by.scale;
}

// Evenly spread over the tensor, from another begin in each sample.
void AddSample(const Tensor& x, std::size_t sample, std::size_t wanted, GramOf& product) {
  const std::size_t places = product.patches.Count(x);
  if (places == 0) return;
  const std::size_t taken = std::min(places, wanted);
  std::vector<float> columns;
  for (std::size_t i = 0; i < taken; ++i) {
    const std::size_t place = SpreadPlace(i, taken, places, sample);
    for (std::size_t group = 0; group < product.patches.groups(); ++group) {
      product.patches.Cut(x, group, place, columns);
      if (product.rounded) RoundToBytes(*product.rounded, columns);
      AddOuter(columns, product.gram.groups[group]);
      for (std::size_t k = 0; k < columns.size(); ++k) product.gram.means[group][k] += columns[k];
    }
  }
  product.places += taken;
}

void Finish(GramOf& product) {
  const std::size_t n = product.gram.size;
  const double share = product.places == 0 ? 0 : 1 / static_cast<double>(product.places);
  for (std::vector<double>& sum : product.gram.groups) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i; j < n; ++j) sum[j * n + i] = sum[i * n + j] *= share;
    }
  }
  for (std::vector<double>& mean : product.gram.means) {
    for (double& value : mean) value *= share;
  }
}

}  // namespace

void AddOuter(const std::vector<float>& x, std::vector<double>& sum) {
  const std::size_t n = x.size();
  for (std::size_t i = 0; i < n; ++i) {
    const double value = x[i];
    if (value == 0) continue;
    double* row = sum.data() + i * n;
    for (std::size_t j = i; j < n; ++j) row[j] += value * x[j];
  }
}

Result<std::map<NodeId, Gram>> CollectGrams(const Graph& graph, const Candidates& candidates,
                                            const Calibration* calibration, std::size_t count,
                                            const SampleSource& source,
                                            const GramOptions& options) {
  std::vector<GramOf> products;
  std::vector<Watch> watched;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    std::optional<Patches> patches = Patches::Of(graph, c);
    const std::size_t size = patches ? patches->columns() : 0;
    if (size == 0 || size > options.largest) continue;
    const ValueId data = graph.node(c.node).inputs[c.activations[0]];
    GramOf product = {.node = c.node, .patches = *std::move(patches)};
    product.gram.size = size;
    product.gram.groups.assign(product.patches.groups(), std::vector<double>(size * size, 0.0));
    product.gram.means.assign(product.patches.groups(), std::vector<double>(size, 0.0));
    if (calibration != nullptr) {
      const auto found = calibration->find(data);
      if (found == calibration->end()) continue;
      product.rounded = ScaleFor(found->second.range);
    }
    products.push_back(std::move(product));
    watched.push_back({data});
  }
  ATH_TRY(Watcher watcher,
          Watcher::Open(graph, watched,
                        {.threads = options.threads, .after_sample = options.after_sample}));
  const std::size_t wanted = (options.places + count - 1) / std::max<std::size_t>(1, count);
  std::vector<std::size_t> sample(products.size(), 0);
  ATH_RETURN_IF_ERROR(watcher.ForEach(count, source, [&](std::size_t i, const Tensor& x) {
    AddSample(x, sample[i]++, wanted, products[i]);
    return Status();
  }));
  std::map<NodeId, Gram> grams;
  for (GramOf& product : products) {
    Finish(product);
    if (product.places > 0) grams[product.node] = std::move(product.gram);
  }
  PoolShared(graph, candidates, grams);
  return grams;
}

}  // namespace athanor::quant
