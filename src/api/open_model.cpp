#include "api/open_model.h"

#include "frontends/load.h"
#include "zoo/zoo.h"

namespace athanor {

Result<Graph> OpenModel(const std::string& name, const std::string& format) {
  constexpr std::string_view kZoo = "zoo:";
  if (name.starts_with(kZoo)) return zoo::Make(name.substr(kZoo.size()));
  return LoadModel(name, {.format = format});
}

}  // namespace athanor
