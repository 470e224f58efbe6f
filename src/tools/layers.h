// The convolutions and matrix products of networks, as the planner sees them: for `bench --kernels`
// and the comparison with oneDNN in bench/kernels.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/stages.h"

namespace athanor::tools {

// A convolution or matrix product with what is fused behind it.
struct Layer {
  std::string name;  // "3x3/2 64->128 56x56 +Relu"
  plan::Group group;
  double flops = 0;
  std::vector<std::string> networks;  // that have it; one entry for each time
  // The layouts that some kernel computes it in: row-major, in blocks, from rows into blocks.
  std::vector<plan::Variant> variants;
};

struct Layers {
  std::vector<std::unique_ptr<Graph>> graphs;  // that the layers point into
  std::vector<Layer> list;                     // each different layer once
};

struct LayerOptions {
  bool conv = true, gemm = true;
  int threads = 1;
  Precision precision = Precision::kF32;
  std::int64_t batch = 1;  // of open dimensions
  bool quantized = false;  // layers on quantised tensors instead of those on floats
};

// The inputs' types with sizes for open dimensions: "N" and the like count `batch`, positions in a
// text 128.
std::vector<Type> InputTypes(const Graph& graph, std::int64_t batch);

// Adds the layers of a network that are not there yet; `graph` is as it was read.
Status AddNetwork(Graph graph, const std::string& name, const LayerOptions& options,
                  Layers& layers);

}  // namespace athanor::tools
