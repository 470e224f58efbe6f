#include "tools/graph_document.h"

#include <map>
#include <set>
#include <type_traits>

#include "tools/console.h"
#include "tools/describe.h"
#include "tools/graph_figures.h"

namespace athanor::tools {
namespace {

constexpr std::size_t kMostItems = 32;    // of a list that is an attribute
constexpr std::size_t kMostText = 240;    // bytes of an attribute or a constant
constexpr std::int64_t kFewElements = 8;  // of a constant that is shown in full

nlohmann::json IdJson(ValueId id) {
  if (id == kNoValue) return nullptr;
  return static_cast<std::uint32_t>(id);
}

nlohmann::json IdsJson(std::span<const ValueId> ids) {
  nlohmann::json list = nlohmann::json::array();
  for (const ValueId id : ids) list.push_back(IdJson(id));
  return list;
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

std::string AttributeText(const AttrValue& value) {
  return std::visit(
      [&value](const auto& v) {
        if constexpr (IsVector<std::decay_t<decltype(v)>>::value) {
          if (v.size() > kMostItems) {
            // Trees have millions of them: only what is shown is printed.
            const std::decay_t<decltype(v)> first(v.begin(), v.begin() + kMostItems);
            return fmt::format("{} and {} more", Shorten(Print(AttrValue(first)), kMostText),
                               v.size() - kMostItems);
          }
        }
        return Shorten(Print(value), kMostText);
      },
      value);
}

std::string ConstantText(const Tensor& tensor) {
  if (tensor.count() > kFewElements) return "";
  if (tensor.dtype() == DType::kString) {
    std::string text;
    for (const std::string& item : tensor.Data<std::string>())
      text += (text.empty() ? "\"" : ", \"") + item + "\"";
    return Shorten(text, kMostText);
  }
  const Result<std::vector<double>> values = ToDoubles(tensor);
  if (!values.ok()) return "";
  std::string text;
  for (const double value : *values)
    text += fmt::format("{}{:.6g}", text.empty() ? "" : ", ", value);
  return text;
}

nlohmann::json ValueJson(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  nlohmann::json json = {{"id", IdJson(id)}, {"name", value.name}, {"type", value.type.ToString()}};
  if (const Tensor* constant = graph.Constant(id)) {
    json["bytes"] = constant->bytes();
    if (std::string text = ConstantText(*constant); !text.empty()) json["text"] = std::move(text);
  }
  return json;
}

nlohmann::json NodeJson(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  nlohmann::json attributes = nlohmann::json::array();
  for (const auto& [name, value] : node.attributes)
    attributes.push_back({name, AttributeText(value)});
  nlohmann::json json = {{"id", static_cast<std::uint32_t>(id)},
                         {"name", node.name},
                         {"op", node.op->name},
                         {"in", IdsJson(node.inputs)},
                         {"out", IdsJson(node.outputs)},
                         {"attributes", std::move(attributes)},
                         {"flops", nullptr}};
  if (const auto flops = NodeFlops(graph, id)) json["flops"] = *flops;
  for (const auto& body : node.bodies)
    json["bodies"].push_back({{"name", body->name()}, {"nodes", body->num_nodes()}});
  return json;
}

nlohmann::json PortsJson(const std::vector<Port>& ports) {
  nlohmann::json list = nlohmann::json::array();
  for (const Port& port : ports) list.push_back(port.name);
  return list;
}

}  // namespace

Result<nlohmann::json> GraphDocument(const Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  nlohmann::json nodes = nlohmann::json::array(), ops = nlohmann::json::object();
  std::set<ValueId> used(graph.inputs().begin(), graph.inputs().end());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    nodes.push_back(NodeJson(graph, id));
    used.insert(node.inputs.begin(), node.inputs.end());
    used.insert(node.outputs.begin(), node.outputs.end());
    ops[node.op->name] = {{"summary", node.op->summary},
                          {"inputs", PortsJson(node.op->inputs)},
                          {"outputs", PortsJson(node.op->outputs)}};
  }
  nlohmann::json outputs = nlohmann::json::array(), values = nlohmann::json::array();
  for (const GraphOutput& output : graph.outputs()) {
    outputs.push_back({{"name", output.name}, {"value", IdJson(output.value)}});
    used.insert(output.value);
  }
  used.erase(kNoValue);
  for (const ValueId id : used) values.push_back(ValueJson(graph, id));
  return nlohmann::json{{"name", graph.name()},          {"inputs", IdsJson(graph.inputs())},
                        {"outputs", std::move(outputs)}, {"nodes", std::move(nodes)},
                        {"values", std::move(values)},   {"ops", std::move(ops)}};
}

nlohmann::json FatesJson(const Graph& before, const Graph& after) {
  const auto each_output = [](const Graph& graph, const auto& visit) {
    for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
      const auto id = static_cast<NodeId>(i);
      if (!graph.IsLive(id)) continue;
      for (const ValueId output : graph.node(id).outputs) {
        if (output != kNoValue && !graph.value(output).name.empty())
          visit(id, graph.value(output).name);
      }
    }
  };
  std::map<std::string_view, NodeId> now;
  each_output(after, [&](NodeId id, std::string_view name) { now.emplace(name, id); });
  std::map<NodeId, NodeId> successor;  // in `after`
  each_output(before, [&](NodeId id, std::string_view name) {
    if (const auto found = now.find(name); found != now.end()) successor.emplace(id, found->second);
  });
  nlohmann::json fates = nlohmann::json::array();
  for (std::size_t i = 0; i < before.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!before.IsLive(id)) continue;
    nlohmann::json fate = {{"id", i}, {"fate", "gone"}};
    if (const auto found = successor.find(id); found != successor.end()) {
      const Node &old = before.node(id), &next = after.node(found->second);
      const bool same = old.op == next.op && old.attributes == next.attributes;
      fate["fate"] = same ? "kept" : "changed";
      fate["op"] = next.op->name;
      fate["now"] = static_cast<std::uint32_t>(found->second);
    }
    fates.push_back(std::move(fate));
  }
  return fates;
}

}  // namespace athanor::tools
