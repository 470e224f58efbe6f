// What is in the file, and whether it will run.
#include <filesystem>

#include "core/text.h"
#include "tools/demo/demo.h"
#include "tools/graph_figures.h"

namespace athanor::tools::demo {
namespace {

std::int64_t WeightsOf(const Graph& graph, const Node& node) {
  std::int64_t count = 0;
  for (const ValueId id : node.inputs) {
    const Tensor* constant = id == kNoValue ? nullptr : graph.Constant(id);
    if (constant != nullptr) count += constant->count();
  }
  return count;
}

}  // namespace

Result<Outcome> Inspect(State& state) {
  const Graph& graph = *state.raw;
  ATH_TRY(const GraphFigures figures, Measure(graph));
  const std::string input = graph.value(graph.inputs()[0]).type.ToString();
  const std::string output = graph.value(graph.outputs()[0].value).type.ToString();
  std::vector<Bar> bars;
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const double flops = NodeFlops(graph, id).value_or(0);
    const std::int64_t weights = WeightsOf(graph, node);
    if (weights == 0 || flops < 0.0001 * figures.flops || node.op->name == "BatchNormalization")
      continue;
    bars.push_back({node.name, graph.value(node.outputs[0]).type.ToString(), flops,
                    fmt::format("{} operations, {} weights", HumanCount(flops),
                                HumanCount(static_cast<double>(weights)))});
  }
  const std::string parameters = HumanCount(static_cast<double>(figures.params));
  std::error_code error;
  const auto bytes =
      static_cast<double>(std::filesystem::file_size(state.File("digits.onnx"), error));
  Outcome outcome;
  outcome.what =
      fmt::format("image {} -> logits {}, {} nodes, {} parameters, {}FLOP per picture", input,
                  output, graph.num_nodes(), parameters, HumanCount(figures.flops));
  outcome.section = {
      .id = "inspect",
      .title = "What is in the file",
      .finding = fmt::format(
          "digits.onnx ({}) reads a grey picture of 32 x 32 pixels and gives a score for each of "
          "ten digits: {} nodes, {} parameters, {} operations for one picture. Every operator is "
          "known, so it will run.",
          HumanBytes(bytes), graph.num_nodes(), parameters, HumanCount(figures.flops)),
      .figures = {{BarChart(bars, {.label_width = 270}),
                   "The layers with weights, in the order in which they run: what each computes "
                   "for one picture."}},
      .commands = {"athanor inspect " + state.File("digits.onnx")}};
  outcome.figures = {
      {"nodes", graph.num_nodes()}, {"parameters", figures.params}, {"flops", figures.flops}};
  return outcome;
}

}  // namespace athanor::tools::demo
