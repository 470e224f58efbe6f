#include "tools/partition.h"

#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "tools/console.h"
#include "tools/feasibility.h"
#include "tools/output_file.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using onnx::Partition;
using onnx::Stage;

// Gives the stage's row of the list.
Result<nlohmann::json> WriteStage(const Stage& stage, const fs::path& folder,
                                  const std::string& file, const SaveOptions& save) {
  const std::string path = (folder / file).string();
  if (stage.graph) {
    ATH_RETURN_IF_ERROR(SaveModel(*stage.graph, path, save));
  } else {
    ATH_RETURN_IF_ERROR(WriteFileAtomically(path, *stage.onnx));
  }
  return nlohmann::json{{"file", file},
                        {"run_by", stage.graph ? "athanor" : "other"},
                        {"inputs", stage.inputs},
                        {"outputs", stage.outputs},
                        {"operators", stage.operators}};
}

}  // namespace

Status WriteStages(const ModelOptions& model, const std::string& out, const SaveOptions& save,
                   const Common& common) {
  ATH_TRY(const Partition partition, ReadPartition(model));
  if (partition.unread.empty())
    return Error(ErrorCode::kUsage, "there is nothing to split: all {} nodes are read",
                 partition.nodes)
        .Fix(fmt::format("athanor convert {} -o {}", ShellWord(model.path), ShellWord(out)));
  const fs::path folder = fs::path(out).parent_path();
  const std::string stem = fs::path(out).stem().string(),
                    ending = fs::path(out).extension().string();
  const std::string list = (folder / (stem + ".stages.json")).string();
  std::vector<std::string> files;
  ATH_RETURN_IF_ERROR(CheckOutput(list));
  for (const Stage& stage : partition.stages) {
    files.push_back(fmt::format("{}.{}{}", stem, files.size(), stage.graph ? ending : ".onnx"));
    for (const std::string& path : SavedFiles((folder / files.back()).string(), save))
      ATH_RETURN_IF_ERROR(CheckOutput(path));
  }
  nlohmann::json stages = nlohmann::json::array();
  Table table({"file", "run by", ">nodes", "operators"});
  for (std::size_t i = 0; i < partition.stages.size(); ++i) {
    const Stage& stage = partition.stages[i];
    ATH_TRY(nlohmann::json row, WriteStage(stage, folder, files[i], save));
    std::size_t nodes = 0;
    std::vector<std::string> names;
    for (const auto& [name, count] : stage.operators) nodes += count, names.push_back(name);
    table.Add({row["file"].get<std::string>(), stage.graph ? "athanor" : "another engine",
               std::to_string(nodes), Shorten(Join(names, ", "), 60)});
    stages.push_back(std::move(row));
  }
  const nlohmann::json file = {{"schema_version", kSchemaVersion},
                               {"inputs", partition.inputs},
                               {"outputs", partition.outputs},
                               {"stages", stages}};
  ATH_RETURN_IF_ERROR(WriteFileAtomically(
      list,
      std::string_view(file.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n")));
  PrintText(common, UnreadText(partition.unread) + "\n" + table.ToString());
  if (!partition.assumed.empty())
    Note(common, "warning: the file does not say of which type {} {}: f32 is assumed",
         Shorten(Join(partition.assumed, ", "), 80), partition.assumed.size() == 1 ? "is" : "are");
  Say(common, "wrote {}", list);
  Say(common,
      "run it in Python: athanor.open_stages({})(x); the rest runs in ONNX Runtime, or in a "
      "function of yours: docs/debug.md",
      Quote(list));
  PrintJson(common, {{"model", model.path},
                     {"out", list},
                     {"nodes", partition.nodes},
                     {"unread", UnreadJson(partition.unread)},
                     {"assumed", partition.assumed},
                     {"stages", std::move(stages)}});
  return {};
}

}  // namespace athanor::tools
