// athanor zoo NAME -o OUT: a standard topology with seeded weights, as a model file.
#include "zoo/zoo.h"

#include <cstdio>

#include "frontends/save.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

struct Options {
  std::string name;
  std::string output;
  std::uint64_t seed = 1;
};

void List(const Common& common) {
  for (const zoo::ZooEntry& entry : zoo::Entries()) {
    std::fprintf(common.json ? stderr : stdout, "%-16s %s\n", std::string(entry.name).c_str(),
                 std::string(entry.summary).c_str());
  }
}

Status Run(const Options& options, const Common& common) {
  if (options.name.empty()) {
    List(common);
    std::fprintf(stderr, "next: athanor zoo resnet50 -o resnet50.onnx\n");
    return {};
  }
  ATH_TRY(const Graph graph, zoo::Make(options.name, options.seed));
  const std::string output = options.output.empty() ? options.name + ".onnx" : options.output;
  ATH_RETURN_IF_ERROR(SaveModel(graph, output, {}));
  std::fprintf(common.json ? stderr : stdout, "written  %s (%zu nodes)\nnext: athanor bench %s\n",
               output.c_str(), graph.num_nodes(), output.c_str());
  return {};
}

}  // namespace

std::function<Status()> Zoo(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  app.add_option("name", options->name, "the topology; without a name all are listed");
  app.add_option("-o,--output", options->output, "the file; NAME.onnx by default");
  app.add_option("--seed", options->seed, "of the weights")->capture_default_str();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
