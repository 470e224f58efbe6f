// The model argument of every verb.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/open_model.h"
#include "ir/graph.h"
#include "tools/verb.h"

namespace athanor::tools {

struct ModelOptions {
  std::string path;
  std::string format;                 // "" finds out
  std::string weights;                // see LoadOptions
  std::vector<std::string> set_dims;  // "N=4"
  bool states = false;                // see LoadOptions
  bool verify = false;                // compare the weights with their digests
  bool feasibility = false;           // the verb lists itself what cannot be read
};

// Adds the positional MODEL, --format, --weights, --states, --set-dim and --verify.
void AddModelOptions(Arguments app, ModelOptions& options);

using athanor::OpenModel;  // a file of any format, or zoo:NAME
// The same with the symbols of --set-dim replaced.
Result<Graph> OpenModel(const ModelOptions& options);
// The same for a verb that will write the files `results`: fails where one of them is read for the
// model, such as a file of weights that lies beside it.
Result<Graph> OpenModel(const ModelOptions& options, const std::vector<std::string>& results);

using DimSizes = std::vector<std::pair<std::string, std::int64_t>>;
// Replaces symbols in the inputs' shapes and infers all types again.
Status SetDims(Graph& graph, const DimSizes& values);
// Sizes for the symbols of the inputs with which the shapes agree: 1 where that does, else the
// first power of two that does. Nothing when none is found, or there are no symbols.
std::optional<DimSizes> FittingDims(const Graph& graph);
// "--set-dim batch=N --set-dim sequence=N" for the symbols of the inputs; "" for none.
std::string OpenDims(const Graph& graph);
// "--input x=x.npy" for the first input whose sizes are not all known; "" for none.
std::string OpenInput(const Graph& graph);
// Adds to an error that came up while symbols counted as 1 the --set-dim that may mend it.
Status WithDimFix(Status status, const Graph& graph, bool counted_as_one = true);

// The symbols in the shapes of the inputs, sorted.
std::vector<std::string> InputSymbols(const Graph& graph);

}  // namespace athanor::tools
