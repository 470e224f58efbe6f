#include "frontends/output_names.h"

namespace athanor {

Status NameOutputs(const Graph& graph, std::unordered_map<ValueId, std::string>& names,
                   const std::function<std::string(std::string_view)>& unique) {
  for (const GraphOutput& output : graph.outputs()) {
    if (graph.value(output.value).producer == kNoNode)
      return Unsupported("output \"{}\" is an input or a constant of the graph", output.name);
    std::string& name = names[output.value];
    if (!name.empty()) return Unsupported("output \"{}\" is also \"{}\"", output.name, name);
    name = unique(output.name);
  }
  return {};
}

}  // namespace athanor
