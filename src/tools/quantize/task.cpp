#include "tools/quantize/task.h"

#include <fmt/format.h>

#include <algorithm>

namespace athanor::tools {
namespace {

bool IsOneOf(std::string_view op, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), op) != names.end();
}

// Words come as numbers, and rows of a table are taken by them.
bool ReadsWords(const Graph& graph, const Node& node) {
  if (node.op->name != "Gather" || graph.Constant(node.inputs[0]) == nullptr) return false;
  const Type& table = graph.value(node.inputs[0]).type;
  const auto& inputs = graph.inputs();
  const bool given = std::any_of(inputs.begin(), inputs.end(),
                                 [&](ValueId id) { return IsInteger(graph.value(id).type.dtype); });
  return given && table.HasRank() && table.rank() == 2;
}

}  // namespace

std::string_view Name(Task task) {
  constexpr std::string_view kNames[] = {"other", "vision", "speech", "text"};
  return kNames[static_cast<std::size_t>(task)];
}

Task TaskOf(const Graph& graph) {
  bool pictures = false, series = false, words = false;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    const Node& node = graph.node(id);
    const std::string& op = node.op->name;
    words |= ReadsWords(graph, node);
    series |= IsOneOf(op, {"GRU", "LSTM", "MelWeightMatrix", "RNN", "STFT"});
    if (op != "Conv" || !graph.value(node.inputs[0]).type.HasRank()) continue;
    const std::int64_t rank = graph.value(node.inputs[0]).type.rank();
    pictures |= rank == 4;
    series |= rank == 3;
  }
  if (words) return Task::kText;
  if (series) return Task::kSpeech;
  return pictures ? Task::kVision : Task::kOther;
}

std::string AdviceFor(Task task) {
  if (task != Task::kSpeech && task != Task::kText) return "";
  return fmt::format(
      "networks for {} lose more by activations of 8 bits than those for pictures: try "
      "--weight-bits "
      "f16 first, then --activations float, which quantises weights alone",
      Name(task));
}

}  // namespace athanor::tools
