#include "tools/report/files.h"

#include "core/embedded_file.h"
#include "core/status.h"

namespace athanor {
std::span<const EmbeddedFile> ReportFiles();  // made by athanor_embed
}

namespace athanor::tools {

std::string_view ReportFile(std::string_view name) {
  for (const EmbeddedFile& file : ReportFiles()) {
    if (file.name == name)
      return {reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size()};
  }
  ATH_CHECK(false, "CMakeLists.txt lists every file that reports ask for");
  return {};
}

}  // namespace athanor::tools
