// athanor inspect of a file that holds weights and no network.
#pragma once

#include <string>

#include "tools/verb.h"

namespace athanor::tools {

// Whether the file is one of named tensors alone (torch.save, safetensors).
Result<bool> IsWeights(const std::string& path);
// Lists the tensors: name, type, size.
Status InspectWeights(const std::string& path, const Common& common);

}  // namespace athanor::tools
