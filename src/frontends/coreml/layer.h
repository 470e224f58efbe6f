// One layer of a network as the file has it.
#pragma once

#include "core/status.h"
#include "frontends/coreml/schema.h"

namespace athanor::coreml {

struct Layer {
  std::string name;
  std::vector<std::string> inputs, outputs;
  std::int64_t kind = 0;  // the number of the field that holds its parameters
  Bytes parameters;
};

Result<Layer> ReadLayer(Bytes bytes);

}  // namespace athanor::coreml
