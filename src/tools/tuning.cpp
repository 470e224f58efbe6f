#include "tools/tuning.h"

#include <filesystem>

#include "plan/measured.h"
#include "tools/console.h"

namespace athanor::tools {

void AddTuningOptions(CLI::App& app, TuningOptions& options) {
  app.add_flag("--strict", options.strict, "no algorithm that rounds more than a sum of products");
  app.add_option("--plan-cache", options.cache,
                 "times of kernels that athanor tune measured; MODEL.athplan when it is there");
}

std::string TuningFile(const std::string& model) {
  // Topologies of the zoo have no file to lie beside.
  return model.starts_with("zoo:") ? model.substr(4) + ".athplan" : model + ".athplan";
}

Status ApplyTuning(const TuningOptions& options, const std::string& model, const Common& common,
                   SessionOptions& session) {
  session.strict = options.strict;
  const std::string path = options.cache.empty() ? TuningFile(model) : options.cache;
  if (options.cache.empty() && !std::filesystem::exists(path)) return {};
  auto times = std::make_shared<MeasuredTimes>();
  Status loaded = times->Load(path);
  if (loaded.ok()) {
    session.measured = std::move(times);
    return {};
  }
  if (!std::filesystem::exists(path)) return loaded;
  Note(common, "warning: {}", loaded.message());
  return {};
}

}  // namespace athanor::tools
