// athanor bench --kernels conv: every algorithm for each shape, and how well it is chosen.
#pragma once

#include "ir/graph.h"
#include "kernels/precision.h"
#include "tools/verb.h"

namespace athanor::tools {

struct KernelBenchOptions {
  std::string kind = "conv";  // whose kernels: "conv", "gemm" or "all"
  int threads = 1;
  int rounds = 5;
  Precision precision = Precision::kF32;
  std::int64_t batch = 1;
};

// Measures the layers of `model`, of that name; of a list of the zoo's networks when there is none.
Status BenchKernels(std::optional<Graph> model, const std::string& name,
                    const KernelBenchOptions& options, const Common& common);

}  // namespace athanor::tools
