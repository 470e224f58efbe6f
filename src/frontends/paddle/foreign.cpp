// Operators that no row reads and something of a plug-in does (docs/plugins.md).
#include "frontends/foreign.h"

#include "core/text.h"
#include "frontends/paddle/import.h"
#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

constexpr std::string_view kCustomDialect = "custom_op.";

AttrValue AsAttribute(const Attribute& attribute) {
  if (const auto* integer = std::get_if<std::int64_t>(&attribute)) return *integer;
  if (const auto* real = std::get_if<double>(&attribute)) return static_cast<float>(*real);
  if (const auto* text = std::get_if<std::string>(&attribute)) return *text;
  if (const auto* ints = std::get_if<IntList>(&attribute)) return *ints;
  if (const auto* texts = std::get_if<TextList>(&attribute)) return *texts;
  const auto& reals = std::get<RealList>(attribute);
  return std::vector<float>(reals.begin(), reals.end());
}

// What PaddlePaddle notes on every operator, and no operator's own.
bool IsNote(std::string_view name) {
  return name.starts_with("op_") || name == "with_quant_attr" || name == "stop_gradient" ||
         name == "persistable";
}

}  // namespace

std::string_view ForeignName(const Operator& op) {
  std::string_view name = op.type;
  if (name.starts_with(kCustomDialect)) name.remove_prefix(kCustomDialect.size());
  return name;
}

Status ReadForeignOperator(Graph& graph, Environment& variables, const Program& program,
                           const Operator& op) {
  if (!op.blocks.empty()) return Unsupported("blocks within operators of plug-ins are not read");
  std::vector<std::size_t> results;
  for (const Slot& slot : op.outputs)
    results.insert(results.end(), slot.variables.begin(), slot.variables.end());
  ForeignNode node = {.graph = graph,
                      .op = std::string(ForeignName(op)),
                      .name = results.empty() || results[0] == kNoVariable
                                  ? op.type
                                  : program.variables[results[0]].name,
                      .inputs = {},
                      .attributes = {},
                      .num_outputs = results.size()};
  for (const Slot& slot : op.inputs) {
    for (const std::size_t variable : slot.variables) {
      if (variable == kNoVariable) {
        node.inputs.push_back(kNoValue);
        continue;
      }
      const auto found = variables.find(variable);
      if (found == variables.end())
        return InvalidModel("variable {} is used before an operator makes it",
                            Quote(program.variables[variable].name));
      node.inputs.insert(node.inputs.end(), found->second.begin(), found->second.end());
    }
  }
  while (!node.inputs.empty() && node.inputs.back() == kNoValue) node.inputs.pop_back();
  for (const auto& [name, attribute] : op.attributes) {
    if (!IsNote(name)) node.attributes.Set(name, AsAttribute(attribute));
  }
  ATH_RETURN_IF_ERROR(ReadForeign("paddle", node));
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i] != kNoVariable) variables[results[i]] = {node.outputs[i]};
  }
  return {};
}

bool Reads(std::string_view op) {
  return FindRow(op, false) != nullptr || FindRow(op, true) != nullptr;
}

}  // namespace athanor::paddle
