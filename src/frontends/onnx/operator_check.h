// Says which operators of a model cannot be read, before anything is built.
#pragma once

#include "frontends/onnx/functions.h"

namespace athanor::onnx {

// One problem per node; looks into sub-graphs and into the functions that are called. Also finds
// functions that call themselves.
std::vector<Status> CheckOperators(const GraphProto& graph, const FunctionTable& functions);

}  // namespace athanor::onnx
