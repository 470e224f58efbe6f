#include "core/output_path.h"

#include <filesystem>

#include "core/opened_files.h"

namespace athanor {

namespace fs = std::filesystem;

Result<std::string> OutputTarget(const std::string& path) {
  constexpr int kMaxLinks = 40;  // as the kernel has it
  fs::path target = path;
  std::error_code failed;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, failed)); ++links) {
    const fs::path next = fs::read_symlink(target, failed);
    if (failed || links == kMaxLinks)
      return Error(ErrorCode::kFileWrite, "{}: the link cannot be followed", path);
    target = target.parent_path() / next;
  }
  const fs::file_status found = fs::status(target, failed);
  if (fs::exists(found) && !fs::is_regular_file(found)) {
    return Error(ErrorCode::kFileWrite, "{}: {}", path,
                 fs::is_directory(found) ? "is a folder" : "is not a regular file");
  }
  // A rename would replace it all the same, whoever may write.
  constexpr fs::perms kWrite =
      fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
  if (fs::exists(found) && (found.permissions() & kWrite) == fs::perms::none) {
    return Error(ErrorCode::kFileWrite, "{}: the file is read-only", path)
        .Fix("choose another name for the result");
  }
  if (OpenedFiles::Hold(target)) {
    return Error(ErrorCode::kUsage, "{}: the result would replace a file it is made of", path)
        .Fix("choose another name for the result");
  }
  return target.string();
}

}  // namespace athanor
