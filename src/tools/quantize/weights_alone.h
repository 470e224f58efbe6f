// --activations float: weights become integers, and it is shown how far that is.
#pragma once

#include "quant/weight_only.h"
#include "tools/quantize/judge.h"

namespace athanor::tools {

Result<Graph> QuantizeWeightsAlone(const Graph& plain, SampleCache& samples, std::size_t count,
                                   const QuantizeRequest& request, const Common& common,
                                   quant::WeightOnlyReport& report);

}  // namespace athanor::tools
