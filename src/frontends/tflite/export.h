// A graph as a TensorFlow Lite model. Operators that TFLite lacks are written with others where it
// has those; all refusals are listed at once.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::tflite {

// The bytes of the file; weights of 2 GiB and more stand behind the flatbuffer.
Result<std::vector<std::uint8_t>> ExportTflite(const Graph& graph);

Status SaveTflite(const Graph& graph, const std::string& path);

}  // namespace athanor::tflite
