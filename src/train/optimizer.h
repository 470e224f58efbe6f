// Optimisers as nodes: from a weight, its derivative and the optimiser's memory to the next ones.
#pragma once

#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor::train {

// Values of the step graph that an optimiser reads; scalars of the weights' type.
struct Rates {
  ValueId learning_rate = kNoValue;
  ValueId first_correction = kNoValue;   // 1 / (1 - beta1^t), t counts steps from 1
  ValueId second_correction = kNoValue;  // 1 / (1 - beta2^t)
  ValueId decay = kNoValue;              // of the weight itself; kNoValue: none
};

struct Update {
  ValueId weight = kNoValue;
  std::vector<ValueId> memory = {};
};

inline constexpr double kBeta1 = 0.9, kBeta2 = 0.999;  // of Adam
inline constexpr double kMomentum = 0.9;               // of SGD

struct Optimizer {
  std::string_view name;
  std::string_view summary;
  int memories = 0;  // tensors like the weight, that start as zeros
  Result<Update> (*update)(Graph&, const Rates&, ValueId weight, ValueId derivative,
                           const std::vector<ValueId>& memory);
};

const std::vector<Optimizer>& Optimizers();
Result<const Optimizer*> FindOptimizer(std::string_view name);

}  // namespace athanor::train
