#include "tools/plan_text.h"

namespace athanor::tools {

StepText Describe(const Plan& plan, const Step& step) {
  StepText text;
  for (const NodeId id : step.nodes) {
    const Node& node = plan.graph.node(id);
    if (text.node.empty()) text.node = node.name;
    text.op += (text.op.empty() ? "" : " + ") + node.op->name;
  }
  text.kernel = step.kernel != nullptr ? step.kernel->name : "reference";
  for (const Place& place : step.out) {
    if (place.storage < 0) continue;
    const bool dynamic = place.dtype == DType::kUndefined;
    text.output = dynamic ? "?" : fmt::format("{}{}", Name(place.dtype), ToString(place.dims));
    break;
  }
  return text;
}

}  // namespace athanor::tools
