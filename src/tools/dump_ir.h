// --dump-ir after:STAGE: the graph as text, as it is at a point on its way to the plan.
#pragma once

#include "ir/graph.h"
#include "tools/console.h"

namespace athanor::tools {

// Adds --dump-ir.
void AddDumpOption(Arguments app, std::string& option);

// The STAGE of after:STAGE: "import", a pass or a rule. "" when the option is not given.
Result<std::string> DumpStage(const std::string& option);

// Prints the graph with its large constants as digests.
void PrintGraph(const Common& common, const Graph& graph);

// Prints what the passes up to the stage make of the graph, which stays as it is. Nothing when the
// option is not given. `graph` is as it was imported: devices that plan run the same passes on it.
Status DumpIr(const Common& common, const std::string& option, const Graph& graph);

}  // namespace athanor::tools
