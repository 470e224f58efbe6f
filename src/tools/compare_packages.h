// athanor compare with packages in place of models: do they see the same in pictures.
#pragma once

#include <string>
#include <vector>

#include "tools/package_options.h"
#include "verify/compare.h"

namespace athanor::tools {

struct PackageComparison {
  std::vector<std::string> packages;  // the first is the measure
  std::vector<std::string> pictures;  // files or folders
  std::string device = "cpu";
  Tolerance tolerance;
  double min_overlap = 0.99;  // of two boxes that count as the same
  AccessFlags access;
  std::string report;  // an .html file to write; "": none
};

// kAccuracy when an output, a box or a class differs.
Status ComparePackages(const PackageComparison& options, const Common& common);

}  // namespace athanor::tools
