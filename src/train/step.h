// One step of training as a graph: forward, loss, derivatives, new weights.
//
// The graph's inputs are the examples, the labels, three rates, then the state; its outputs are the
// scores, the loss, then the state after the step, in the same order. The state is what the model's
// constants become (weights, running statistics) followed by the optimiser's memory.
#pragma once

#include <string>
#include <vector>

#include "train/optimizer.h"

namespace athanor::train {

struct StateEntry {
  std::string name;
  ValueId constant = kNoValue;  // of the model; kNoValue: the optimiser's memory
  Tensor start;                 // the value before the first step
};

// What stands before the state among the inputs and the outputs of the step.
inline constexpr std::size_t kExamplesInput = 0, kLabelsInput = 1, kRateInput = 2,
                             kFirstCorrectionInput = 3, kSecondCorrectionInput = 4, kStateInput = 5;
inline constexpr std::size_t kScoresOutput = 0, kLossOutput = 1, kStateOutput = 2;

struct TrainingStep {
  Graph graph;
  std::vector<StateEntry> state;
  std::size_t weights = 0;  // how many entries of the state are trained
};

struct StepOptions {
  std::int64_t batch = 64;
  std::string optimizer = "adam";
  double weight_decay = 1e-3;  // of weights with two or more axes; not of biases and scales
};

// A classifier with one f32 input and one output [batch, classes]. Its f32 constants that the loss
// depends on are the weights; BatchNormalization goes into training mode. Loss: the mean
// cross-entropy of the softmax of the scores. Fails where an operator has no gradient.
Result<TrainingStep> BuildStep(const Graph& model, const StepOptions& options);

}  // namespace athanor::train
