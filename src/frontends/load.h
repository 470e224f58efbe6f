// Any model file as a graph: the format is found from the bytes, the name only decides in doubt.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor {

struct LoadOptions {
  std::string format = "";  // "ath", "ncnn", "onnx", "openvino", "txt"; "" finds out from the bytes
  // Compare every weight with the digest the file holds of it: reads the whole file. Refused for
  // formats without digests.
  bool check_weights = false;
};

Result<Graph> LoadModel(const std::string& path, const LoadOptions& options = {});

}  // namespace athanor
