#include "tools/plan_text.h"

#include "plan/ready_node.h"

namespace athanor::tools {

StepText Describe(const Plan& plan, const Step& step) {
  StepText text;
  for (const NodeId id : step.nodes) {
    const Node& node = plan.graph.node(id);
    if (text.node.empty()) text.node = node.name;
    text.op += (text.op.empty() ? "" : " + ") + node.op->name;
  }
  text.on_reference = step.kernel == nullptr && !MayBecomeReady(plan, step);
  text.kernel = step.kernel != nullptr ? step.kernel->name
                : text.on_reference    ? "reference"
                                       : "chosen when reached";
  for (const athanor::Place& place : step.out) {
    if (place.storage < 0) continue;
    const bool dynamic = place.open || place.dtype == DType::kUndefined;
    text.output = dynamic ? "?" : fmt::format("{}{}", Name(place.dtype), ToString(place.dims));
    break;
  }
  return text;
}

nlohmann::json StepJson(const Plan& plan, const Step& step) {
  const StepText text = Describe(plan, step);
  const StepNotes& notes = step.notes;
  nlohmann::json choices = nlohmann::json::array();
  for (const StepNotes::Choice& choice : notes.choices) {
    nlohmann::json item = {
        {"kernel", choice.kernel}, {"layout", choice.layout}, {"fits", choice.fits}};
    if (choice.fits || choice.cost_ns > 0) item["estimated_us"] = choice.cost_ns / 1e3;
    if (choice.measured_ns > 0) item["measured_us"] = choice.measured_ns / 1e3;
    if (choice.more_bytes > 0) item["more_weight_bytes"] = choice.more_bytes;
    if (!choice.fits) item["reason"] = choice.reason;
    choices.push_back(std::move(item));
  }
  return {{"op", text.op},
          {"node", text.node},
          {"kernel", text.kernel},
          {"output", text.output},
          {"flops", notes.flops},
          {"bytes", notes.bytes},
          {"clones", notes.clones},
          {"bytes_saved_by_cloning", notes.saved_bytes},
          {"candidates", std::move(choices)}};
}

}  // namespace athanor::tools
