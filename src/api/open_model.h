// One way to name a model everywhere: a file of any format, or "zoo:NAME".
#pragma once

#include <string>

#include "frontends/load.h"
#include "ir/graph.h"

namespace athanor {

// `options` are for files; a network of the zoo has none.
Result<Graph> OpenModel(const std::string& name, const LoadOptions& options = {});
Result<LoadedModel> OpenWithFile(const std::string& name, const LoadOptions& options = {});

}  // namespace athanor
