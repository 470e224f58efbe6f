// A graph as a TensorFlow Lite model. Operators that TFLite lacks are written with others where it
// has those; all refusals are listed at once.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::tflite {

// Flatbuffers end at 2 GiB; what is not weights has some room.
inline constexpr std::uint64_t kMostInside = std::uint64_t{7} << 28;

// The bytes of the file. Weights of more than `most_inside` bytes stand behind the flatbuffer.
Result<std::vector<std::uint8_t>> ExportTflite(const Graph& graph,
                                               std::uint64_t most_inside = kMostInside);

Status SaveTflite(const Graph& graph, const std::string& path);

}  // namespace athanor::tflite
