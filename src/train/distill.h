// How far a model is from the answers of another, and the derivatives of that: what fine-tuning
// without labels needs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace athanor {
class Session;
}

namespace athanor::train {

// A Softmax that only an output reads is left out: its input says more, and how to change it.
Result<Graph> WithoutLastSoftmax(const Graph& graph);

// One over the deviation of an element's channel, for each element of each output, in such a unit
// that errors as large as the deviations make the loss 1 in each output. Channels: axis 1 of four,
// the last of three, else the tensor. `answers`: of one sample or more.
std::vector<Tensor> BalancedFactors(const std::vector<std::vector<Datum>>& answers);

struct Lesson {
  double loss = 0;
  std::vector<Tensor> derivatives = {};  // one per weight, of its shape
};

class Distiller {
 public:
  // `weights`: f32 constants of `student`. `inputs`: of one sample, for the shapes. `factors`: of
  // the square error of each output's elements. Fails, naming the node, where an operator between
  // weights and outputs has no gradient.
  static Result<Distiller> Open(const Graph& student, std::span<const ValueId> weights,
                                const std::vector<Datum>& inputs,
                                const std::vector<Tensor>& factors, int threads);
  Distiller(Distiller&&) noexcept;
  Distiller& operator=(Distiller&&) noexcept;
  ~Distiller();

  // With these values of the weights. `answers`: of the teacher for the same inputs.
  Result<Lesson> Learn(std::vector<Datum> inputs, const std::vector<Datum>& answers,
                       const std::vector<Tensor>& weights);

 private:
  explicit Distiller(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

}  // namespace athanor::train
