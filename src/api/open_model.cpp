#include "api/open_model.h"

#include "zoo/zoo.h"

namespace athanor {

Result<LoadedModel> OpenWithFile(const std::string& name, const LoadOptions& options) {
  constexpr std::string_view kZoo = "zoo:";
  if (!name.starts_with(kZoo)) return LoadWithFile(name, options);
  if (options.check_weights || !options.weights.empty())
    return Unsupported("{} is made from code; a file is expected", name);
  ATH_TRY(Graph graph, zoo::Make(name.substr(kZoo.size())));
  return LoadedModel{std::move(graph)};
}

Result<Graph> OpenModel(const std::string& name, const LoadOptions& options) {
  ATH_TRY(LoadedModel opened, OpenWithFile(name, options));
  return std::move(opened.graph);
}

}  // namespace athanor
