// athanor inspect MODEL: what is in it and whether it will run.
#include <algorithm>

#include "core/text.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/feasibility.h"
#include "tools/inspect_package.h"
#include "tools/inspect_weights.h"
#include "tools/model_facts.h"
#include "tools/open_model.h"
#include "tools/run_inputs.h"

namespace athanor::tools {
namespace {

struct InspectOptions {
  ModelOptions model;
  std::string device = "cpu";
  AccessFlags access;
};

// " at H=N=W=1": of what the figures are that depend on open dimensions; "" without any.
std::string SymbolsAsOne(const std::vector<std::string>& symbols) {
  return symbols.empty() ? "" : fmt::format(" at {}=1", Shorten(Join(symbols, "="), 48));
}

// A type whose dimensions fit on a line: a formula longer than this says nothing to a reader.
std::string ShortText(const Type& type) {
  constexpr std::size_t kLongest = 24;
  if (!type.IsTensor() || !type.HasRank()) return type.ToString();
  Shape shape = *type.shape;
  for (Dim& dim : shape) {
    std::vector<std::string> symbols;
    dim.CollectSymbols(symbols);
    const bool is_name = symbols.size() == 1 && dim == Dim::Symbol(symbols[0]);
    if (!is_name && dim.ToString().size() > kLongest) dim = Dim::Unknown();
  }
  return Type::Tensor(type.dtype, std::move(shape)).ToString();
}

std::string PortTable(const Graph& graph) {
  Table table({"", "name", "type"});
  for (const ValueId id : graph.inputs())
    table.Add({"input", Shorten(graph.value(id).name, 48), ShortText(graph.value(id).type)});
  for (const GraphOutput& output : graph.outputs()) {
    table.Add({"output", Shorten(output.name, 48), ShortText(graph.value(output.value).type)});
  }
  return table.ToString();
}

std::string OperatorTable(const GraphFigures& figures) {
  std::vector<std::pair<std::string, std::int64_t>> ops(figures.ops.begin(), figures.ops.end());
  std::stable_sort(ops.begin(), ops.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  Table table({"operator", ">nodes", ">FLOPs", ">share"});
  for (const auto& [name, count] : ops) {
    const auto found = figures.flops_by_op.find(name);
    const double flops = found == figures.flops_by_op.end() ? 0 : found->second;
    table.Add({name, std::to_string(count), HumanCount(flops),
               figures.flops > 0 ? fmt::format("{:.1f} %", 100 * flops / figures.flops) : ""});
  }
  return table.ToString();
}

Status Run(const InspectOptions& options, const Common& common) {
  ATH_TRY(const bool is_package, IsPackage(options.model.path));
  if (is_package) return InspectPackage(options.model.path, options.access, common);
  ATH_RETURN_IF_ERROR(NeedsPackage(options.access, options.model.path));
  ATH_TRY(const bool is_weights, IsWeights(options.model.path));
  if (is_weights) return InspectWeights(options.model.path, common);
  Result<Graph> opened = OpenModel(options.model);
  if (!opened.ok() && options.model.feasibility)
    return ReportInfeasible(options.model, opened.status(), common);
  ATH_TRY(Graph graph, std::move(opened));
  ATH_TRY(const ModelFacts facts, FactsOf(graph));
  const GraphFigures& figures = facts.figures;
  PrintText(common, PortTable(graph) + "\n" + OperatorTable(figures) + "\n");
  const std::string at = SymbolsAsOne(facts.symbols);
  Say(common, "nodes        {}", facts.nodes);
  Say(common, "parameters   {} ({})", figures.params,
      HumanCount(static_cast<double>(figures.params)));
  Say(common, "weights      {}", HumanBytes(static_cast<double>(figures.weight_bytes)));
  if (options.model.verify) Say(common, "digests      every weight is as it was written");
  Say(common, "FLOPs        {} per inference{} (a multiply-add is 2)", HumanCount(figures.flops),
      at);
  Say(common, "activations  {} at most alive at once{}",
      HumanBytes(static_cast<double>(figures.peak_activation_bytes)), at);
  if (const auto& forest = facts.forest) {
    Say(common, "trees        {} with {} leaves, at most {} deep, looking at {} features",
        forest->trees, forest->leaves, forest->depth, forest->features);
  }
  if (!facts.symbols.empty())
    Say(common, "symbols      {} (counted as 1; --set-dim {}=8 sets one)",
        Join(facts.symbols, ", "), facts.symbols[0]);
  if (figures.uncounted > 0) {
    Say(common, "not counted  {} nodes whose shapes depend on data", figures.uncounted);
  }
  nlohmann::json document = FactsJson(graph, facts);
  document["model"] = options.model.path;
  document["weights_verified"] = options.model.verify;
  if (options.model.feasibility)
    ATH_RETURN_IF_ERROR(ReportFeasible(graph.Clone(), options.device, common, document));
  const RunInputs inputs = InputsForRun(graph);
  // Whether it runs is known when a device has accepted it.
  const Result<std::unique_ptr<Session>> session =
      Session::Create(std::move(graph), {.device = options.device});
  document["feasible"] = session.ok();
  document["device"] = options.device;
  if (!session.ok()) document["infeasible_because"] = session.status().ToString();
  Say(common, "feasible     {}",
      session.ok() ? fmt::format("yes, on device {}", options.device)
                   : "no: " + session.status().ToString());
  document["run_inputs"] = inputs.words;
  if (!inputs.why.empty()) {
    Say(common, "sizes        1 does not do for {}: {}", Join(facts.symbols, ", "), inputs.why);
    document["sizes_of_one"] = inputs.why;
  }
  PrintJson(common, std::move(document));
  Next(common, fmt::format("athanor run {} {}", ShellWord(options.model.path), inputs.words));
  return {};
}

}  // namespace

std::function<Status()> Inspect(Arguments app, const Common& common) {
  auto options = std::make_shared<InspectOptions>();
  AddModelOptions(app, options->model);
  app.Option("--device", options->device, "the device asked whether it can run the model")
      .ShowDefault();
  app.Flag(
      "--feasibility", options->model.feasibility,
      "say what would run without a kernel; of a model that cannot be read, all that stops it");
  AddAccessOptions(app, options->access);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
