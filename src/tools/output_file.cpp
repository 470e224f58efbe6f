#include "tools/output_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/opened_files.h"
#include "core/output_path.h"
#include "core/text.h"
#include "frontends/save.h"
#include "tools/console.h"

namespace athanor::tools {

namespace fs = std::filesystem;

Status CheckOutput(const std::string& path, const std::string& option) {
  if (path.empty()) return {};
  Result<std::string> target = OutputTarget(path);
  if (!target.ok()) {
    Status status = std::move(target).status();
    if (status.fix().empty()) return status;
    return std::move(status).Fix("choose another name with " + option);
  }
  std::error_code failed;
  const fs::path file = *target;
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  if (!fs::exists(folder, failed)) {
    return Error(ErrorCode::kFileWrite, "{}: there is no folder {}", path, folder)
        .Fix(fmt::format("mkdir -p {}", ShellWord(folder)));
  }
  if (!fs::is_directory(folder, failed))
    return Error(ErrorCode::kFileWrite, "{}: {} is no folder", path, folder);
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(errno));
  return {};
}

Status CheckOutput(const std::string& path, const std::string& option,
                   const std::vector<std::string>& endings) {
  if (path.empty()) return {};
  const bool known = std::any_of(endings.begin(), endings.end(),
                                 [&](const std::string& ending) { return path.ends_with(ending); });
  if (!known)
    return Error(ErrorCode::kUsage, "{} {}: {} is expected", option, path, Join(endings, " or "));
  return CheckOutput(path, option);
}

Status CheckModelOutput(const std::string& path, const std::string& from,
                        std::vector<std::string> others) {
  ATH_RETURN_IF_ERROR(CheckSaveFormat(path, {.others = std::move(others)}));
  OpenedFiles::Note(from);
  for (const std::string& file : SavedFiles(path)) ATH_RETURN_IF_ERROR(CheckOutput(file));
  return {};
}

Status CheckOutputOf(const std::string& path, const std::string& from) {
  OpenedFiles::Note(from);
  return CheckOutput(path);
}

}  // namespace athanor::tools
