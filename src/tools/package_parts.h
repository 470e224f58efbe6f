// What goes into a package: the files that a pipeline.yaml names, and the pipeline itself.
#pragma once

#include <string>
#include <vector>

#include "package/container.h"

namespace athanor::tools {

struct PackageParts {
  struct Part {
    std::string name;
    package::Bytes bytes;
  };
  std::string name, description;
  std::vector<Part> parts;

  // Views of the parts, which must stay.
  package::Contents Contents() const;
};

// Reads the pipeline and its files, which are looked for beside it; proves that the pipeline fits
// its model. Errors name the line.
Result<PackageParts> ReadPackageParts(const std::string& yaml);

}  // namespace athanor::tools
