// Reads TensorFlow Lite models.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "ir/graph.h"

namespace athanor::tflite {

// "TFL3" at offset 4.
bool IsTflite(std::span<const std::uint8_t> bytes);

// `owner` keeps `bytes` alive; weights are not copied where the file aligns them.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

}  // namespace athanor::tflite
