// A neural network of Core ML, or a pipeline of them (.mlmodel), or an ML Program (.mlpackage), as
// a graph. Hostile input: every size is checked, all unknown layers are listed at once.
//
// Pictures are inputs of floats [N, channels, height, width] in 0..255, in the order of colours
// that the file says; its preprocessing is part of the graph. Networks of the old form, in which
// every array has five axes, take and give arrays with a batch (or a sequence) in front.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "ir/graph.h"

namespace athanor::coreml {

bool IsCoreml(std::span<const std::uint8_t> bytes);

// `owner` keeps the bytes alive: weights are not copied where the file aligns them.
// Weights of programs lie in files within `folder`; without one none are opened.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
                     const std::string& folder = "");

// The model within an .mlpackage; "": the folder is none.
std::string ModelInPackage(const std::string& folder);

}  // namespace athanor::coreml
