#include "tools/scratch_folder.h"

#include <cstdlib>
#include <filesystem>

namespace athanor::tools {

namespace fs = std::filesystem;

Result<ScratchFolder> ScratchFolder::Make() {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "athanor-XXXXXX").string();
  if (error || mkdtemp(name.data()) == nullptr) {
    return Error(ErrorCode::kFileWrite, "{}: no folder can be made here", name)
        .Fix("TMPDIR=FOLDER names another place");
  }
  return ScratchFolder(std::move(name));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace athanor::tools
