// A neural network of Core ML, or a pipeline of them (.mlmodel), as a graph. Hostile input: every
// size is checked, all unknown layers are listed at once.
//
// Pictures are inputs of floats [N, channels, height, width] in 0..255, in the order of colours
// that the file says; its preprocessing is part of the graph. Networks of the old form, in which
// every array has five axes, take and give arrays with a batch (or a sequence) in front.
#pragma once

#include <memory>
#include <span>

#include "ir/graph.h"

namespace athanor::coreml {

bool IsCoreml(std::span<const std::uint8_t> bytes);

// `owner` keeps the bytes alive: weights are not copied where the file aligns them.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

}  // namespace athanor::coreml
