// Trains a classifier on examples in memory.
#pragma once

#include <functional>
#include <optional>

#include "core/cpu.h"
#include "train/step.h"

namespace athanor::train {

// u8 pictures as the network's input is laid out, [count, c, h, w]; the network reads
// (pixel - mean) / std.
struct Examples {
  Tensor pixels;                     // u8 [count, c, h, w]
  std::vector<std::int64_t> labels;  // one per picture, from 0
  float mean = 0, std = 1;
};

struct TrainOptions {
  int epochs = 24;
  StepOptions step = {};
  double learning_rate = 4e-3;  // falls to 0 along a cosine
  std::int64_t shift = 0;       // pictures are moved by up to this many pixels, zeros come in
  std::uint32_t seed = 1;
  int threads = 0;  // 0: one per core; the result does not depend on it
  // The widest instruction set to use, on which rounding depends; the machine's best by default.
  std::optional<Isa> isa = {};
  // Called after each step with its loss, and after each epoch with the mean loss and the share of
  // right answers while training.
  std::function<void(int epoch, double loss, double accuracy)> on_epoch = {};
  std::function<void(double loss)> on_step = {};
};

// How many steps that will be.
Result<std::int64_t> CountSteps(const Examples& examples, const TrainOptions& options);

// The model with new constants. Deterministic: the same seed, model, examples and instruction set
// give the same bits.
Result<Graph> Train(const Graph& model, const Examples& examples, const TrainOptions& options);

}  // namespace athanor::train
