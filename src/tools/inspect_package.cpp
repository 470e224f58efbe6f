#include "tools/inspect_package.h"

#include "core/text.h"
#include "package/pipeline.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

Result<package::Config> PipelineOf(const package::Package& package) {
  ATH_TRY(const package::Blob blob, package.Read(std::string(package::kPipelineEntry)));
  return package::ConfigFromJson(
      {reinterpret_cast<const char*>(blob.bytes.data()), blob.bytes.size()});
}

// Settings as they stand on one line of YAML.
std::string Flow(const package::Config& config) {
  std::vector<std::string> parts;
  for (const package::Config& item : config.items) parts.push_back(Flow(item));
  for (const auto& [name, value] : config.fields) parts.push_back(name + ": " + Flow(value));
  if (config.kind == package::Config::Kind::kList) return "[" + Join(parts, ", ") + "]";
  if (config.kind == package::Config::Kind::kMap) return "{" + Join(parts, ", ") + "}";
  return config.text;
}

// The stages as pipeline.yaml has them: each a name with its settings.
void AddStages(const package::Config& pipeline, Table& table, nlohmann::json& stages) {
  for (const auto& [field, list] : pipeline.fields) {
    if (field != "stages") continue;
    for (const package::Config& stage : list.items) {
      for (const auto& [name, settings] : stage.fields) {
        table.Add({name, Shorten(Flow(settings), 80)});
        stages.push_back({{"stage", name}, {"settings", Flow(settings)}});
      }
    }
  }
}

}  // namespace

Status InspectPackage(const std::string& path, const AccessFlags& access, const Common& common) {
  ATH_TRY(const package::Package opened, OpenPackage(path, access));
  Result<package::Config> pipeline = PipelineOf(opened);
  if (!pipeline.ok()) return std::move(pipeline).status().In(path);
  Table entries({"entry", ">bytes"}), stages({"stage", "settings"});
  nlohmann::json entry_list = nlohmann::json::array(), stage_list = nlohmann::json::array();
  for (const std::string& name : opened.EntryNames()) {
    Result<package::Blob> blob = opened.Read(name);
    if (!blob.ok()) return std::move(blob).status().In(path);
    entries.Add({Shorten(name, 48), std::to_string(blob->bytes.size())});
    entry_list.push_back({{"name", name}, {"bytes", blob->bytes.size()}});
  }
  AddStages(*pipeline, stages, stage_list);
  Say(common, "name        {}", opened.name());
  if (!opened.description().empty()) Say(common, "description {}", opened.description());
  PrintText(common, "\n" + entries.ToString() + "\n" + stages.ToString() + "\n");
  const auto cipher = opened.cipher();
  Say(common, "signed      {}", opened.signer().empty() ? "no" : "by key " + opened.signer());
  Say(common, "encrypted   {}", cipher ? std::string(package::Name(*cipher)) : "no");
  PrintJson(common, {{"package", path},
                     {"name", opened.name()},
                     {"description", opened.description()},
                     {"entries", std::move(entry_list)},
                     {"stages", std::move(stage_list)},
                     {"signer", opened.signer()},
                     {"cipher", cipher ? nlohmann::json(package::Name(*cipher)) : nullptr}});
  Next(common, fmt::format("athanor run {} photo.jpg{}", ShellWord(path), ToText(access)));
  return {};
}

}  // namespace athanor::tools
