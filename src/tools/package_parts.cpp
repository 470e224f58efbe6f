#include "tools/package_parts.h"

#include <filesystem>
#include <set>

#include "api/open_model.h"
#include "api/pipeline.h"
#include "core/file.h"
#include "frontends/ath/ath.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using package::Bytes;
using package::Config;
using Part = PackageParts::Part;

Config* Field(Config& map, std::string_view name) {
  for (auto& [field, value] : map.fields) {
    if (field == name) return &value;
  }
  return nullptr;
}

// The file that a stage names, which becomes the name of an entry.
Config* FileOf(Config& pipeline, std::string_view stage) {
  Config* stages = Field(pipeline, "stages");
  for (std::size_t i = 0; stages != nullptr && i < stages->items.size(); ++i) {
    if (Config* found = Field(stages->items[i], stage)) return Field(*found, "file");
  }
  return nullptr;
}

// Reads the files that stages name, relative to the pipeline's folder, and renames them in it.
Result<std::vector<Part>> ReadParts(Config& pipeline, const fs::path& folder) {
  std::vector<Part> parts;
  Config* model = FileOf(pipeline, "model");
  const bool from_zoo = model->text.starts_with("zoo:");
  const std::string path = from_zoo ? model->text : (folder / model->text).string();
  Result<Graph> graph = OpenModel(path);
  if (!graph.ok()) return std::move(graph).status().In(package::Where(*model));
  model->text = (from_zoo ? model->text.substr(4) : fs::path(path).stem().string()) + ".ath";
  ATH_TRY(Bytes bytes, ath::Write(*graph));
  parts.push_back({model->text, std::move(bytes)});
  if (Config* labels = FileOf(pipeline, "labels")) {
    const Result<std::string> text = ReadTextFile((folder / labels->text).string());
    if (!text.ok()) return text.status().In(package::Where(*labels));
    labels->text = fs::path(labels->text).filename().string();
    parts.push_back({labels->text, Bytes(text->begin(), text->end())});
  }
  const std::string json = package::ToJson(pipeline);
  parts.push_back({std::string(package::kPipelineEntry), Bytes(json.begin(), json.end())});
  std::set<std::string> names;
  for (const Part& part : parts) {
    if (!names.insert(part.name).second)
      return Error(ErrorCode::kUsage, "two parts would be called \"{}\"", part.name);
  }
  return parts;
}

// The same bytes without locks: proves that the pipeline fits its model before anything is written.
Status Prove(const package::Contents& contents) {
  ATH_TRY(Bytes bytes, package::WritePackage(contents, {}));
  const auto owner = std::make_shared<Bytes>(std::move(bytes));
  ATH_TRY(package::Package plain, package::Package::Open(*owner, owner, {}));
  return PipelineRunner::Make(std::move(plain), {.device = "reference"}).status();
}

}  // namespace

package::Contents PackageParts::Contents() const {
  package::Contents contents = {name, description, {}};
  for (const Part& part : parts) contents.entries.push_back({part.name, part.bytes});
  return contents;
}

Result<PackageParts> ReadPackageParts(const std::string& yaml) {
  const fs::path source(yaml);
  ATH_TRY(const std::string text, ReadTextFile(yaml));
  const auto in_file = [&](Status status) {
    return std::move(status).In(source.filename().string());
  };
  Result<Config> config = package::ConfigFromYaml(text);
  if (!config.ok()) return in_file(std::move(config).status());
  const Result<package::Pipeline> pipeline = package::ReadPipeline(*config);
  if (!pipeline.ok()) return in_file(pipeline.status());
  Result<std::vector<Part>> parts = ReadParts(*config, source.parent_path());
  if (!parts.ok()) return in_file(std::move(parts).status());
  PackageParts all = {pipeline->name.empty() ? source.stem().string() : pipeline->name,
                      pipeline->description, *std::move(parts)};
  Status proof = Prove(all.Contents());
  if (!proof.ok()) return in_file(std::move(proof));
  return all;
}

}  // namespace athanor::tools
