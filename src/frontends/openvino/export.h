// A graph as an OpenVINO network, IR version 11: .xml, and the .bin weights beside it. All refusals
// are listed at once.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::openvino {

struct OpenvinoFiles {
  std::string xml;
  std::vector<std::uint8_t> bin;
};

Result<OpenvinoFiles> ExportOpenvino(const Graph& graph);

// Writes `path` and the .bin file beside it.
Status SaveOpenvino(const Graph& graph, const std::string& path);

}  // namespace athanor::openvino
