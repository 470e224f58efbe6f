#include "api/open_model.h"

#include "frontends/load.h"
#include "zoo/zoo.h"

namespace athanor {

Result<Graph> OpenModel(const std::string& name, const std::string& format, bool check_weights) {
  constexpr std::string_view kZoo = "zoo:";
  if (!name.starts_with(kZoo))
    return LoadModel(name, {.format = format, .check_weights = check_weights});
  if (check_weights) return Unsupported("{} is made from code; a file is expected", name);
  return zoo::Make(name.substr(kZoo.size()));
}

}  // namespace athanor
