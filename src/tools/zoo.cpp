// athanor zoo NAME -o OUT: a standard topology with seeded weights, as a model file.
#include "zoo/zoo.h"

#include "core/text.h"
#include "frontends/save.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

struct ZooOptions {
  std::string name;
  std::string output;
  std::uint64_t seed = 1;
};

void List(const Common& common) {
  nlohmann::json models = nlohmann::json::array();
  Table table({"name", "task", "input", ">params", ">GMAC", "source"});
  for (const zoo::ZooEntry& entry : zoo::Entries()) {
    table.Add({std::string(entry.name), std::string(entry.task), std::string(entry.input),
               HumanCount(static_cast<double>(entry.parameters)), fmt::format("{:.4g}", entry.gmac),
               std::string(entry.source)});
    models.push_back({{"name", entry.name},
                      {"task", entry.task},
                      {"input", entry.input},
                      {"params", entry.parameters},
                      {"gmac", entry.gmac},
                      {"source", entry.source}});
  }
  PrintText(common, table.ToString());
  PrintJson(common, {{"models", std::move(models)}});
}

Status Run(const ZooOptions& options, const Common& common) {
  if (options.name.empty()) {
    List(common);
    Next(common, "athanor zoo resnet50 -o resnet50.onnx");
    return {};
  }
  const std::string output = options.output.empty() ? options.name + ".onnx" : options.output;
  ATH_RETURN_IF_ERROR(CheckModelOutput(output, {}));
  ATH_TRY(const Graph graph, zoo::Make(options.name, options.seed));
  ATH_RETURN_IF_ERROR(SaveModel(graph, output, {}));
  Say(common, "wrote {} ({} nodes)", output, graph.num_nodes());
  PrintJson(common, {{"model", options.name},
                     {"seed", options.seed},
                     {"written", output},
                     {"nodes", graph.num_nodes()}});
  Next(common, "athanor bench " + ShellWord(output));
  return {};
}

}  // namespace

std::function<Status()> Zoo(Arguments app, const Common& common) {
  auto options = std::make_shared<ZooOptions>();
  app.Option("name", options->name, "the topology; without a name all are listed");
  app.Option("-o,--output", options->output, "the file; NAME.onnx by default");
  app.Option("--seed", options->seed, "of the weights").ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
