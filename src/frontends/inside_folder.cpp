#include "frontends/inside_folder.h"

#include <algorithm>
#include <filesystem>

namespace athanor {

// A file named inside a model must lie in the model's own folder: a model is not to read
// /etc/passwd.
Result<std::string> ResolveInside(const std::string& folder, const std::string& location) {
  namespace fs = std::filesystem;
  if (folder.empty())
    return Error(ErrorCode::kUnsafeFile, "external data \"{}\" needs a model that lies in a folder",
                 location);
  const fs::path path(location);
  bool climbs = path.is_absolute() || location.empty();
  for (const fs::path& part : path) climbs = climbs || part == "..";
  std::error_code failed;
  const fs::path root = fs::weakly_canonical(folder, failed);
  const fs::path target = fs::weakly_canonical(fs::path(folder) / path, failed);
  const auto mismatch = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
  if (climbs || failed || mismatch.first != root.end()) {
    return Error(ErrorCode::kUnsafeFile, "external data \"{}\" lies outside the model's folder",
                 location)
        .Fix("move the data file beside the model and save the model again");
  }
  return target.string();
}

}  // namespace athanor
