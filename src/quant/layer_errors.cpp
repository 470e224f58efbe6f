#include "quant/layer_errors.h"

#include <algorithm>
#include <cmath>

namespace athanor::quant {
namespace {

struct Energies {
  double real = 0, bytes = 0, both = 0, error = 0;
};

void Add(const Tensor& a, const Tensor& b, Energies& sums) {
  if (a.dims() != b.dims()) return;
  const auto x = a.Data<float>(), y = b.Data<float>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double r = x[i], q = y[i];
    sums.real += r * r;
    sums.bytes += q * q;
    sums.both += r * q;
    sums.error += (r - q) * (r - q);
  }
}

}  // namespace

double Sqnr(double energy, double error_energy) {
  constexpr double kMost = 200;
  if (error_energy <= 0) return kMost;
  if (energy <= 0) return -kMost;
  return std::clamp(10 * std::log10(energy / error_energy), -kMost, kMost);
}

Result<std::vector<LayerError>> MeasureLayers(const Graph& graph, const Graph& quantized,
                                              const std::map<ValueId, ValueId>& pairs,
                                              std::size_t samples, const SampleSource& source,
                                              int threads) {
  std::vector<Watch> real, bytes;
  const auto add = [&](ValueId id) {
    const auto pair = pairs.find(id);
    if (pair == pairs.end()) return;
    real.push_back({id});
    bytes.push_back({pair->second});
  };
  for (const ValueId id : graph.inputs()) add(id);
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    for (const ValueId output : graph.node(id).outputs) add(output);
  }
  ATH_TRY(Watcher before, Watcher::Open(graph, real, {.threads = threads}));
  ATH_TRY(Watcher after, Watcher::Open(quantized, bytes, {.threads = threads, .optimize = true}));
  std::vector<Energies> sums(real.size());
  for (std::size_t sample = 0; sample < samples; ++sample) {
    const auto one = [&](std::size_t) { return source(sample); };
    std::vector<Tensor> values(real.size());
    ATH_RETURN_IF_ERROR(before.ForEach(1, one, [&](std::size_t i, const Tensor& tensor) {
      values[i] = tensor;
      return Status();
    }));
    ATH_RETURN_IF_ERROR(after.ForEach(1, one, [&](std::size_t i, const Tensor& tensor) {
      if (values[i].defined()) Add(values[i], tensor, sums[i]);
      return Status();
    }));
  }
  std::vector<LayerError> errors;
  for (std::size_t i = 0; i < real.size(); ++i) {
    const Energies& e = sums[i];
    const double norm = std::sqrt(e.real * e.bytes);
    errors.push_back({.value = real[i].value,
                      .name = NameOf(graph, real[i].value),
                      .sqnr = Sqnr(e.real, e.error),
                      .cosine = norm > 0 ? e.both / norm : (e.error > 0 ? 0.0 : 1.0)});
  }
  return errors;
}

}  // namespace athanor::quant
