// The layers that are measured: those of the zoo's networks, as the planner sees them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/stages.h"

namespace athanor::bench {

// A convolution or matrix product with what is fused behind it.
struct Layer {
  std::string name;  // "3x3/2 64->128 56x56 +Relu"
  plan::Group group;
  double flops = 0;
  std::vector<std::string> networks;  // that have it; one entry for each time
};

struct Layers {
  std::vector<std::unique_ptr<Graph>> graphs;  // that the layers point into
  std::vector<Layer> list;                     // each different layer once
};

struct LayerOptions {
  std::vector<std::string> networks;
  bool conv = true, gemm = true;
  int threads = 1;
  std::int64_t batch = 1;
};

// Networks that the zoo does not have are left out and named in `absent`.
Result<Layers> LayersOf(const LayerOptions& options, std::vector<std::string>& absent);

}  // namespace athanor::bench
