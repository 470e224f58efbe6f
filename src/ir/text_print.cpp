#include <unordered_map>

#include "ir/text.h"
#include "ir/text_constant.h"

namespace athanor {
namespace {

using text::PrintName;

std::string PrintAttribute(const AttrValue& value, const TextOptions& options) {
  const auto* tensor = std::get_if<Tensor>(&value);
  if (tensor == nullptr) return Print(value);
  return fmt::format("{} {}", Type::Of(*tensor).ToString(), text::PrintElements(*tensor, options));
}

// Prints one graph; sub-graphs get a printer of their own, because their names are their own.
class Printer {
 public:
  Printer(const Graph& graph, const TextOptions& options, std::string indent)
      : graph_(graph), options_(options), indent_(std::move(indent)) {}

  std::string Run() {
    for (const ValueId input : graph_.inputs()) Label(input);
    const Result<std::vector<NodeId>> order = graph_.Order();
    ATH_CHECK(order.ok(), "a graph that is printed has no cycle");
    std::string body;
    for (const NodeId id : *order) {
      for (const ValueId input : graph_.node(id).inputs) body += ConstantLine(input);
      body += NodeLine(graph_.node(id));
    }
    for (const GraphOutput& output : graph_.outputs()) body += ConstantLine(output.value);
    return Header() + body + indent_ + "}";
  }

 private:
  // The name of a value in the text, given on first sight.
  const std::string& Label(ValueId id) {
    const auto [at, added] = labels_.try_emplace(static_cast<std::uint32_t>(id));
    if (!added) return at->second;
    const std::string& name = graph_.value(id).name;
    const std::size_t nth = ++count_[name];
    if (name.empty()) {
      at->second = fmt::format("#{}", nth);
    } else {
      at->second = nth == 1 ? PrintName(name) : fmt::format("{}#{}", PrintName(name), nth);
    }
    return at->second;
  }

  std::string Header() {
    std::string text = fmt::format("graph {}(", PrintName(graph_.name()));
    bool first = true;
    for (const ValueId input : graph_.inputs()) {
      text += fmt::format("{}{}: {}", first ? "" : ", ", Label(input),
                          graph_.value(input).type.ToString());
      first = false;
    }
    text += ") -> (";
    first = true;
    for (const GraphOutput& output : graph_.outputs()) {
      if (!first) text += ", ";
      first = false;
      text += PrintName(output.name);
      if (Label(output.value) != PrintName(output.name))
        text += fmt::format(" = %{}", Label(output.value));
      text += fmt::format(": {}", graph_.value(output.value).type.ToString());
    }
    return text + ") {\n";
  }

  // The line that defines a constant, the first time it is needed.
  std::string ConstantLine(ValueId id) {
    const Tensor* tensor = graph_.Constant(id);
    if (tensor == nullptr || labels_.count(static_cast<std::uint32_t>(id)) != 0) return "";
    return fmt::format("{}  const %{}: {} = {}\n", indent_, Label(id), Type::Of(*tensor).ToString(),
                       text::PrintElements(*tensor, options_));
  }

  std::string Uses(std::span<const ValueId> values) {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += ", ";
      text += values[i] == kNoValue ? "_" : "%" + Label(values[i]);
    }
    return text;
  }

  std::string NodeLine(const Node& node) {
    std::string line = indent_ + "  ";
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (i > 0) line += ", ";
      const ValueId output = node.outputs[i];
      line += output == kNoValue
                  ? "_"
                  : fmt::format("%{}: {}", Label(output), graph_.value(output).type.ToString());
    }
    const auto own = node.own_inputs();
    line += fmt::format(" = {}({}", node.op->name, Uses(own));
    if (node.captures > 0) line += "; " + Uses(std::span(node.inputs).subspan(own.size()));
    line += ")";
    if (!node.attributes.empty()) {
      line += " {";
      bool first = true;
      for (const auto& [name, value] : node.attributes) {
        line += fmt::format("{}{} = {}", first ? "" : ", ", name, PrintAttribute(value, options_));
        first = false;
      }
      line += "}";
    }
    if (!node.name.empty()) line += " @" + PrintName(node.name);
    line += "\n";
    for (std::size_t i = 0; i < node.bodies.size(); ++i) {
      line += fmt::format("{}    {} = {}\n", indent_, node.op->bodies[i],
                          Printer(*node.bodies[i], options_, indent_ + "    ").Run());
    }
    return line;
  }

  const Graph& graph_;
  const TextOptions& options_;
  const std::string indent_;
  std::unordered_map<std::uint32_t, std::string> labels_;
  std::unordered_map<std::string, std::size_t> count_;
};

}  // namespace

std::string PrintText(const Graph& graph, const TextOptions& options) {
  return Printer(graph, options, "").Run() + "\n";
}

}  // namespace athanor
