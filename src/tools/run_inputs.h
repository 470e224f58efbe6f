// What `athanor run` can be given for a model of which only the file is known.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor::tools {

struct RunInputs {
  std::string words;  // behind the model: "random", "random --set-dim T=256", "--input x=x.npy"
  std::string why;    // random values of size 1 do not do; "" where they do
};

// Looks at shapes alone; runs nothing.
RunInputs InputsForRun(const Graph& graph);

}  // namespace athanor::tools
