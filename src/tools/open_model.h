// The model argument of every verb.
#pragma once

#include <string>
#include <vector>

#include "api/open_model.h"
#include "ir/graph.h"
#include "tools/verb.h"

namespace athanor::tools {

struct ModelOptions {
  std::string path;
  std::string format;                 // "" finds out
  std::vector<std::string> set_dims;  // "N=4"
  bool verify = false;                // compare the weights with their digests
};

// Adds the positional MODEL, --format, --set-dim and --verify.
void AddModelOptions(CLI::App& app, ModelOptions& options);

using athanor::OpenModel;  // a file of any format, or zoo:NAME
// The same with the symbols of --set-dim replaced.
Result<Graph> OpenModel(const ModelOptions& options);

// Replaces symbols in the inputs' shapes and infers all types again.
Status SetDims(Graph& graph, const std::vector<std::pair<std::string, std::int64_t>>& values);
// The symbols in the shapes of the inputs, sorted.
std::vector<std::string> InputSymbols(const Graph& graph);

}  // namespace athanor::tools
