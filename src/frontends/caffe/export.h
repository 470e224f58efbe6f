// A graph as a Caffe network: .prototxt text, and the .caffemodel with its weights beside it.
//
// Sizes must be known; a symbol as the batch counts as 1. All refusals are listed at once.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::caffe {

struct CaffeFiles {
  std::string prototxt;
  std::vector<std::uint8_t> caffemodel;
};

// Whose Caffe is to read the files: "bvlc" has only the layers of the original, "ssd", "deeplab",
// ... those of that fork too, "any" all that are known. Fails on a name that is none of these.
Status CheckDialect(const std::string& dialect);

Result<CaffeFiles> ExportCaffe(const Graph& graph, const std::string& dialect = "any");

// Writes `path` and the .caffemodel file beside it.
Status SaveCaffe(const Graph& graph, const std::string& path, const std::string& dialect);

}  // namespace athanor::caffe
