// Reads TensorFlow Lite models.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "ir/graph.h"

namespace athanor::tflite {

// "TFL3" at offset 4.
bool IsTflite(std::span<const std::uint8_t> bytes);

// Whether operators of this name are read: ADD, or a custom operator's.
bool Reads(std::string_view op);

// `owner` keeps `bytes` alive; weights are not copied where the file aligns them.
// `states`: what operators keep between runs are inputs NAME and outputs NAME.next, behind the
// file's own; otherwise they are 0 at the start of each run.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
                     bool states = false);

}  // namespace athanor::tflite
