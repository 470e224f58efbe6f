// The weights of a network's layers: from a .caffemodel, or seeded where the user asks for that.
#pragma once

#include <map>
#include <memory>

#include "core/tensor.h"
#include "frontends/caffe/message.h"
#include "frontends/seeded_weights.h"

namespace athanor::caffe {

class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // How many weights layer `layer` has; nothing when any number is given.
  virtual std::optional<std::size_t> Count(const std::string& layer) const = 0;
  // The shape of weight `i` in the file.
  virtual Result<Dims> DimsOf(const std::string& layer, std::size_t i) const = 0;
  // Weight `i` of a layer; its elements must be as many as `dims` has.
  virtual Result<Tensor> Get(const std::string& layer, std::size_t i, const Dims& dims,
                             Fill fill) = 0;
};

// The blobs of the layers of `net`, whose bytes `owner` keeps alive.
std::unique_ptr<WeightSource> WeightsOf(const Message& net, std::shared_ptr<const void> owner);

// Weights that are made up. Layers that share a parameter by name do not share it here.
std::unique_ptr<WeightSource> MadeUpWeights();

}  // namespace athanor::caffe
