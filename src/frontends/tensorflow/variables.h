// Which tensor of the bundle is the value of which variable.
#pragma once

#include <map>
#include <string>

#include "frontends/tensorflow/graph_import.h"

namespace athanor::tensorflow {

// Variable -> key in the bundle, from the steps with which TensorFlow itself restores them:
// Assign(variable, RestoreV2(names)[i]), in the graph or in the function that `restore_op` calls.
Result<std::map<std::string, std::string>> RestoredKeys(const Flow& main, Library& library,
                                                        const std::string& restore_op);

}  // namespace athanor::tensorflow
