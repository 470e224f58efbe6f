// A graph as the workbench draws it.
#pragma once

#include <nlohmann/json.hpp>

#include "ir/graph.h"

namespace athanor::tools {

// {"name", "inputs": [value], "outputs": [{"name", "value"}],
//  "nodes": [{"id", "name", "op", "in": [value or null], "out": [...], "attributes": [[name,
//  text]],
//             "flops", "bodies": [{"name", "nodes"}]}],      in order of execution
//  "values": [{"id", "name", "type", "bytes" of a constant, "text" of a small one}],
//  "ops": {op: {"summary", "inputs": [port], "outputs": [port]}}}
// Long attributes and constants are cut. Symbols count as 1 in "flops", which is null where the
// shapes are not known.
Result<nlohmann::json> GraphDocument(const Graph& graph);

// What became of each node of `before` in `after`, found by the names of the values it gives:
// [{"id", "fate": "kept" | "changed" | "gone", "op": what gives the value now,
// "now": its id in `after`}].
nlohmann::json FatesJson(const Graph& before, const Graph& after);

}  // namespace athanor::tools
