// athanor inspect with a package in place of a model.
#pragma once

#include <string>

#include "tools/package_options.h"

namespace athanor::tools {

// Checks every byte; says what is in it, who signed it, and what it does with a picture.
Status InspectPackage(const std::string& path, const AccessFlags& access, const Common& common);

}  // namespace athanor::tools
