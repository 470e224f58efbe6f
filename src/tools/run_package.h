// athanor run with a package in place of a model.
#pragma once

#include <string>
#include <vector>

#include "tools/package_options.h"

namespace athanor::tools {

struct PackageRun {
  std::string path, device = "cpu", save;
  int threads = 0;
  std::vector<std::string> pictures;  // files or folders, "NAME=" before them allowed
  AccessFlags access;
};

// Files; folders stand for the files in them, by name.
Result<std::vector<std::string>> PictureFiles(const std::vector<std::string>& sources);

Status RunPackage(const PackageRun& options, const Common& common);

}  // namespace athanor::tools
