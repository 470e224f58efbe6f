#include "frontends/load.h"

#include <filesystem>

#include "core/file.h"
#include "frontends/onnx/import.h"

namespace athanor {

Result<Graph> LoadModel(const std::string& path, const LoadOptions& options) {
  if (!options.format.empty() && options.format != "onnx") {
    return Error(ErrorCode::kUnknownFormat, "format \"{}\" is not read; onnx is", options.format);
  }
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  Result<Graph> graph =
      onnx::Import(file->bytes(), file, {.folder = parent.empty() ? "." : parent.string()});
  if (!graph.ok())
    return std::move(graph).status().In(std::filesystem::path(path).filename().string());
  return graph;
}

}  // namespace athanor
