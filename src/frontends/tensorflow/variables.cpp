#include "frontends/tensorflow/variables.h"

namespace athanor::tensorflow {
namespace {

using Keys = std::map<std::string, std::string>;

// The name of the variable that a place is a handle of, or of TensorFlow 1 the variable itself.
std::string VariableAt(const Flow& main, const Place& place) {
  const Place at = BehindIdentities(main, place);
  if (at.IsArgument()) return "";
  const NodeDef& node = *main.steps[static_cast<std::size_t>(at.step)].node;
  const AttrProto* shared = FindAttr(node, "shared_name");
  if (node.op == "VarHandleOp") {
    const std::string name = shared == nullptr ? "" : shared->s.value_or("");
    return name.empty() ? node.name : name;
  }
  return node.op == "VariableV2" || node.op == "Variable" ? node.name : "";
}

// The key of the tensor that a place was restored from; "" when it was not.
std::string KeyAt(const Flow& flow, const Place& place) {
  const Place at = BehindIdentities(flow, place);
  if (at.IsArgument()) return "";
  const Step& restore = flow.steps[static_cast<std::size_t>(at.step)];
  if (restore.node->op != "RestoreV2" || restore.inputs.size() < 2) return "";
  const Place names = BehindIdentities(flow, restore.inputs[1]);
  if (names.IsArgument()) return "";
  const AttrProto* value =
      FindAttr(*flow.steps[static_cast<std::size_t>(names.step)].node, "value");
  if (value == nullptr || !value->tensor || at.output >= value->tensor->string_val.size())
    return "";
  return value->tensor->string_val[at.output];
}

// `call`: the step of `main` whose inputs are the arguments of `flow`; nullptr for main itself.
void AddKeys(const Flow& main, const Flow& flow, const Step* call, Keys& keys) {
  for (const Step& step : flow.steps) {
    const bool assigns = step.node->op == "AssignVariableOp" || step.node->op == "Assign";
    if (!assigns || step.inputs.size() < 2) continue;
    Place target = step.inputs[0];
    if (call != nullptr) {
      target = BehindIdentities(flow, target);
      if (!target.IsArgument() || target.output >= call->inputs.size()) continue;
      target = call->inputs[target.output];
    }
    const std::string variable = VariableAt(main, target), key = KeyAt(flow, step.inputs[1]);
    if (!variable.empty() && !key.empty()) keys.emplace(variable, key);
  }
}

}  // namespace

Result<Keys> RestoredKeys(const Flow& main, Library& library, const std::string& restore_op) {
  Keys keys;
  AddKeys(main, main, nullptr, keys);
  const auto restore = main.by_name.find(restore_op);
  if (restore == main.by_name.end()) return keys;
  const Step& step = main.steps[static_cast<std::size_t>(restore->second)];
  const AttrProto* function = FindAttr(*step.node, "f");
  if (function == nullptr || !function->func) return keys;
  ATH_TRY(const std::shared_ptr<const Flow> flow, library.Find(function->func->name));
  AddKeys(main, *flow, &step, keys);
  return keys;
}

}  // namespace athanor::tensorflow
