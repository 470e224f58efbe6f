// A graph as an ncnn network: .param text, and the .bin weights beside it.
//
// ncnn knows one picture at a time: axis 0 of every value must be the batch, whose size is left
// out, and what mixes pictures of a batch is refused. All refusals are listed at once.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::ncnn {

struct NcnnFiles {
  std::string param;
  std::vector<std::uint8_t> bin;
};

Result<NcnnFiles> ExportNcnn(const Graph& graph);

// Writes `path` and the .bin file beside it.
Status SaveNcnn(const Graph& graph, const std::string& path);

}  // namespace athanor::ncnn
