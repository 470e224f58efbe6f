// Weights for a network whose file has none, where the user asks for that.
#pragma once

#include "core/tensor.h"

namespace athanor {

// How they are spread: activations stay within sight of 1, variances positive.
enum class Fill : std::uint8_t {
  kSpread,    // uniform in +-sqrt(6 / inputs of one output): He et al., arXiv 1502.01852
  kShift,     // uniform in [-0.1, 0.1)
  kPositive,  // uniform in [0.5, 1.5)
  kOne        // all 1
};

// Elements follow from splitmix64 started at the FNV-1a hash of "NAME/NUMBER", so the same network
// gets the same weights on every machine. One object serves one network and bounds its size.
class SeededWeights {
 public:
  Result<Tensor> Draw(const std::string& name, std::size_t number, const Dims& dims, Fill fill);

 private:
  std::int64_t left_ = std::int64_t{1} << 29;
};

}  // namespace athanor
