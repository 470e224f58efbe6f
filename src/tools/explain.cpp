// athanor explain ATH-2103: the long text of an error code.
// athanor explain MODEL: where and how each node runs.
#include <cctype>
#include <charconv>

#include "core/text.h"
#include "tools/console.h"
#include "tools/graph_figures.h"
#include "tools/open_model.h"

namespace athanor::tools {
namespace {

struct Options {
  std::string what;
  ModelOptions model;
};

// "ATH-2103", "ath-2103" or "2103".
std::optional<int> ErrorNumber(std::string_view text) {
  if (text.size() > 4 && (text[0] == 'A' || text[0] == 'a') &&
      (text.substr(1, 3) == "TH-" || text.substr(1, 3) == "th-"))
    text.remove_prefix(4);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status ExplainCode(int number, const Common& common) {
  std::vector<std::string> codes;
  for (const ErrorCodeInfo& info : AllErrorCodes()) {
    codes.push_back(fmt::format("ATH-{}", static_cast<int>(info.code)));
    if (static_cast<int>(info.code) != number) continue;
    Say(common, "{} [{}] {}", codes.back(), info.stage, info.title);
    Say(common, "\n{}\n\nexit code {}", info.explanation, info.exit_code);
    PrintJson(common, {{"code", codes.back()},
                       {"stage", info.stage},
                       {"title", info.title},
                       {"explanation", info.explanation},
                       {"exit_code", info.exit_code}});
    return {};
  }
  return Error(ErrorCode::kUnknownName, "there is no error code ATH-{}; there are: {}", number,
               Join(codes, ", "));
}

Status ExplainModel(const Options& options, const Common& common) {
  ATH_TRY(const Graph graph, OpenModel(options.model));
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  Table table({"node", "operator", "output", ">FLOPs"});
  nlohmann::json nodes = nlohmann::json::array();
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const auto flops = NodeFlops(graph, id);
    const std::string output = node.outputs.empty() || node.outputs[0] == kNoValue
                                   ? ""
                                   : graph.value(node.outputs[0]).type.ToString();
    table.Add({Shorten(node.name, 40), node.op->name, output, flops ? HumanCount(*flops) : "?"});
    nodes.push_back({{"name", node.name},
                     {"op", node.op->name},
                     {"output", output},
                     {"flops", flops ? nlohmann::json(*flops) : nlohmann::json()}});
  }
  PrintText(common, table.ToString());
  PrintJson(common, {{"model", options.model.path}, {"nodes", std::move(nodes)}});
  Next(common, fmt::format("athanor profile {}", ShellWord(options.model.path)));
  return {};
}

}  // namespace

std::function<Status()> Explain(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("what", options->what, "an error code such as ATH-2103, or a model")->required();
  app.add_option("--format", options->model.format,
                 "the model's format, when it cannot be guessed");
  app.add_option("--set-dim", options->model.set_dims, "give a symbolic dimension a size: N=4")
      ->take_all();
  return [options, &common]() -> Status {
    if (const auto number = ErrorNumber(options->what)) return ExplainCode(*number, common);
    options->model.path = options->what;
    return ExplainModel(*options, common);
  };
}

}  // namespace athanor::tools
