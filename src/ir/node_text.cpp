#include "ir/node_text.h"

namespace athanor {

std::string NodeText(const Graph& graph, NodeId node, NodeId last, std::size_t place) {
  std::string name = graph.node(node).name;
  for (const ValueId output : graph.node(last).outputs) {
    if (name.empty() && output != kNoValue) name = graph.value(output).name;
  }
  if (name.empty()) name = fmt::format("#{}", place);
  return fmt::format("node \"{}\" ({})", name, graph.node(node).op->name);
}

}  // namespace athanor
