// The model that is quantised: a file, or what a package holds. A package says itself how pictures
// become its network's input.
#pragma once

#include "tools/quantize/options.h"

namespace athanor::tools {

// Of a package the options of pictures are filled in.
Result<Graph> OpenFloatModel(QuantizeRequest& request);

}  // namespace athanor::tools
