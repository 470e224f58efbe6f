#include "api/batch.h"

#include <algorithm>

namespace athanor {

bool IsBatchable(const Graph& graph) {
  std::vector<const Type*> types;
  for (const ValueId id : graph.inputs()) types.push_back(&graph.value(id).type);
  for (const GraphOutput& output : graph.outputs())
    types.push_back(&graph.value(output.value).type);
  if (graph.inputs().empty()) return false;
  std::vector<std::string> names;
  for (const Type* type : types) {
    if (!type->HasRank() || type->rank() == 0 || type->dim(0).IsConst()) return false;
    if (names.empty()) type->dim(0).CollectSymbols(names);
    if (names.size() != 1 || !(type->dim(0) == Dim::Symbol(names[0]))) return false;
    std::vector<std::string> others;
    for (std::int64_t i = 1; i < type->rank(); ++i) type->dim(i).CollectSymbols(others);
    if (std::find(others.begin(), others.end(), names[0]) != others.end()) return false;
  }
  return true;
}

}  // namespace athanor
