#include "tools/output_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/text.h"
#include "frontends/save.h"
#include "tools/console.h"

namespace athanor::tools {

namespace fs = std::filesystem;

constexpr fs::perms kWrite =
    fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;

Status CheckOutput(const std::string& path) {
  if (path.empty()) return {};
  std::error_code failed;
  const fs::file_status found = fs::status(path, failed);
  if (fs::exists(found) && !fs::is_regular_file(found)) {
    return Error(ErrorCode::kFileWrite, "{}: {}", path,
                 fs::is_directory(found) ? "is a folder" : "is not a regular file");
  }
  if (fs::exists(found) && (found.permissions() & kWrite) == fs::perms::none) {
    return Error(ErrorCode::kFileWrite, "{}: the file is read-only", path)
        .Fix("choose another name for the result");
  }
  // A link is followed to the file it stands for, as writing does.
  const fs::path target = fs::exists(found) ? fs::canonical(path, failed) : fs::path(path);
  const std::string folder = target.has_parent_path() ? target.parent_path().string() : ".";
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
  return CheckOutput(path);
}

Status CheckNotRead(const std::vector<std::string>& written, const std::vector<std::string>& read,
                    const std::string& made_of) {
  std::error_code failed;  // of what is not there nothing is replaced
  for (const std::string& path : written) {
    for (const std::string& from : read) {
      if (path.empty() || !fs::equivalent(path, from, failed)) continue;
      return Error(ErrorCode::kUsage, "{}: the result would replace the {} it is made of", path,
                   made_of)
          .Fix("choose another name with -o");
    }
  }
  return {};
}

Status CheckModelOutput(const std::string& path, const std::string& from) {
  ATH_RETURN_IF_ERROR(CheckSaveFormat(path));
  const std::vector<std::string> files = SavedFiles(path);
  ATH_RETURN_IF_ERROR(CheckNotRead(files, {from}));
  for (const std::string& file : files) ATH_RETURN_IF_ERROR(CheckOutput(file));
  return {};
}

Status CheckOutputOf(const std::string& path, const std::string& from) {
  ATH_RETURN_IF_ERROR(CheckNotRead({path}, {from}));
  return CheckOutput(path);
}

}  // namespace athanor::tools
