// A darknet .weights file: a short head, then the numbers of all layers in the order of the layers.
#pragma once

#include <memory>
#include <span>

#include "frontends/seeded_weights.h"

namespace athanor::darknet {

class Weights {
 public:
  virtual ~Weights() = default;
  // The next numbers, those of layer `layer`.
  virtual Result<Tensor> Next(const std::string& layer, const Dims& dims, Fill fill) = 0;
  // Whether matrices of connected layers are stored by input.
  virtual bool transposed() const { return false; }
  // Numbers that no layer has taken.
  virtual std::size_t left() const { return 0; }
};

// `owner` keeps the bytes alive; weights point into them.
Result<std::unique_ptr<Weights>> ReadWeights(std::span<const std::uint8_t> bytes,
                                             std::shared_ptr<const void> owner);
std::unique_ptr<Weights> MadeUpWeights();

}  // namespace athanor::darknet
