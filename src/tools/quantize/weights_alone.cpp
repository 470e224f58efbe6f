#include "tools/quantize/weights_alone.h"

namespace athanor::tools {

Result<Graph> QuantizeWeightsAlone(const Graph& plain, SampleCache& samples, std::size_t count,
                                   const QuantizeRequest& request, const Common& common,
                                   quant::WeightOnlyReport& report) {
  quant::WeightOnlyOptions options = HowToQuantizeWeights(request);
  std::optional<Progress> progress;
  options.before_powers = [&](std::size_t powers) {
    progress.emplace(common, "factors of awq", static_cast<std::int64_t>(powers));
  };
  options.after_power = [&progress] { progress->Advance(); };
  return quant::QuantizeWeights(plain, count, samples.source(), options, report);
}

}  // namespace athanor::tools
