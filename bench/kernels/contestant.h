// One implementation of one layer, ready to run again and again on memory of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/thread_pool.h"
#include "tools/layers.h"

namespace athanor::bench {

using tools::Layer;
using tools::Layers;

class Contestant {
 public:
  explicit Contestant(std::string name) : name_(std::move(name)) {}
  virtual ~Contestant() = default;
  const std::string& name() const { return name_; }

  virtual void Run() = 0;
  // The result in the layer's own layout; bytes as the numbers they are. Valid after one Run: a
  // second one may add to the first.
  virtual std::vector<float> Output() = 0;

  double best_us = 1e30;

 private:
  std::string name_;
};

// The operands of a layer: constants as the graph has them, seeded values for the others, floats or
// unsigned bytes.
Result<std::vector<Tensor>> Operands(const kernels::KernelQuery& query);

// Every kernel of the best instruction set that fits, in every layout; first the one that is
// estimated to be the fastest. Reorders are not timed.
Result<std::vector<std::unique_ptr<Contestant>>> OurKernels(const Layer& layer,
                                                            const std::vector<Tensor>& operands,
                                                            ThreadPool& pool);

// oneDNN's, with layouts of its own choice and what it can fuse of the epilogue; reorders of inputs
// and outputs are not timed. None where it has no such operator; `why` then says so.
std::vector<std::unique_ptr<Contestant>> OneDnn(const Layer& layer,
                                                const std::vector<Tensor>& operands,
                                                std::string& why);

}  // namespace athanor::bench
