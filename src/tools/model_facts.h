// What `inspect` says about a model, and the first page of the workbench.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/ml/tree_ensemble.h"
#include "tools/graph_figures.h"

namespace athanor::tools {

struct ModelFacts {
  GraphFigures figures;
  std::int64_t nodes = 0;                    // bodies included
  std::optional<ops::ForestFigures> forest;  // of all its trees; nothing without any
  std::vector<std::string> symbols;          // in the shapes of the inputs
};

Result<ModelFacts> FactsOf(const Graph& graph);
nlohmann::json FactsJson(const Graph& graph, const ModelFacts& facts);

}  // namespace athanor::tools
