// MNN models (.mnn, of any version up to 3.6): flatbuffers with operators and weights in one file.
#pragma once

#include <memory>
#include <span>

#include "ir/graph.h"

namespace athanor::mnn {

// The format has no mark of its own: a flatbuffer without an identifier whose root has the fields
// of a network, operators among them.
bool IsMnn(std::span<const std::uint8_t> bytes);

// Weights stay views into `bytes`, which `owner` keeps alive, where the file holds them as f32.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

}  // namespace athanor::mnn
