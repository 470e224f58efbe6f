#include "api/open_model.h"

#include "zoo/zoo.h"

namespace athanor {

Result<Graph> OpenModel(const std::string& name, const LoadOptions& options) {
  constexpr std::string_view kZoo = "zoo:";
  if (!name.starts_with(kZoo)) return LoadModel(name, options);
  if (options.check_weights || !options.weights.empty())
    return Unsupported("{} is made from code; a file is expected", name);
  return zoo::Make(name.substr(kZoo.size()));
}

}  // namespace athanor
