#include "tools/package_parts.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "api/open_model.h"
#include "api/pipeline.h"
#include "core/file.h"
#include "core/text.h"
#include "frontends/ath/ath.h"
#include "frontends/load.h"

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

// The settings of a stage.
Config* StageOf(Config& pipeline, std::string_view stage) {
  Config* stages = Field(pipeline, "stages");
  for (std::size_t i = 0; stages != nullptr && i < stages->items.size(); ++i) {
    if (Config* found = Field(stages->items[i], stage)) return found;
  }
  return nullptr;
}

// The file that a stage names, which becomes the name of an entry.
Config* FileOf(Config& pipeline, std::string_view stage) {
  Config* found = StageOf(pipeline, stage);
  return found != nullptr ? Field(*found, "file") : nullptr;
}

// The outputs that stages name are looked for here, where the line of each is known.
Status CheckOutputNames(Config& pipeline, const Graph& graph) {
  struct Use {
    std::string stage, setting, otherwise;
  };
  const Use uses[] = {{"softmax", "output", ""},
                      {"top_k", "output", ""},
                      {"ssd_decode", "boxes", package::SsdDecode().boxes},
                      {"ssd_decode", "scores", package::SsdDecode().scores},
                      {"boxes", "boxes", package::Boxes().boxes},
                      {"boxes", "scores", package::Boxes().scores}};
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) names.push_back(output.name);
  for (const Use& use : uses) {
    Config* stage = StageOf(pipeline, use.stage);
    if (stage == nullptr) continue;
    const Config* given = Field(*stage, use.setting);
    const std::string name = given != nullptr ? given->text : use.otherwise;
    if (name.empty() || std::find(names.begin(), names.end(), name) != names.end()) continue;
    return Error(ErrorCode::kUnknownName, "the model has no output {}{}; it has {}", Quote(name),
                 DidYouMean(name, names), Join(names, ", "))
        .In(package::Where(given != nullptr ? *given : *stage))
        .Fix(fmt::format("{}: NAME under {} says which output it is", use.setting, use.stage));
  }
  return {};
}

// A package has no stage for another engine: what nothing reads cannot go into it.
Status NotPacked(Status status) {
  if (status.code() != ErrorCode::kUnknownOperator) return status;
  const std::string fix = status.fix();
  return std::move(status).Fix(
      fmt::format("{}{}a package holds what is read, by a plug-in too; convert --partition splits "
                  "the model for athanor.open_stages in Python (docs/packages.md)",
                  fix, fix.empty() ? "" : "; "));
}

// Reads the files that stages name, relative to the pipeline's folder, and renames them in it.
Result<std::vector<Part>> ReadParts(Config& pipeline, const fs::path& folder) {
  std::vector<Part> parts;
  Config* model = FileOf(pipeline, "model");
  const bool from_zoo = model->text.starts_with("zoo:");
  const std::string path = from_zoo ? model->text : (folder / model->text).string();
  Result<Graph> graph = OpenModel(path);
  if (!graph.ok()) return NotPacked(std::move(graph).status()).In(package::Where(*model));
  ATH_RETURN_IF_ERROR(CheckOutputNames(pipeline, *graph));
  model->text = (from_zoo ? model->text.substr(4) : fs::path(path).stem().string()) + ".ath";
  ATH_TRY(Bytes bytes, ath::Write(*graph, {.compress = !from_zoo && IsCompressedModel(path)}));
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
