// Says which operators of a model cannot be read, before anything is built.
#pragma once

#include "frontends/onnx/functions.h"

namespace athanor::onnx {

inline constexpr std::size_t kMaxProblems = 100;  // after so many the rest only repeats
// Functions that call functions can multiply without end; no real model comes near.
inline constexpr std::size_t kMaxNodes = 300'000;

// One problem per node, up to kMaxProblems; looks into sub-graphs and into the functions that are
// called. Also finds functions that call themselves.
std::vector<Status> CheckOperators(const GraphProto& graph, const FunctionTable& functions);

}  // namespace athanor::onnx
