// Calls that no row reads and something of a plug-in does (docs/plugins.md).
#pragma once

#include <string>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {

// "my::roll" of "my.roll"; "aten::roll" of "roll".
std::string QualifiedName(std::string_view op);
bool IsForeignCall(std::string_view op);

// Tensors of the arguments, in order, are inputs, None one that is left out; all else are
// attributes, by their names or, where the file has none, by the operator's in order; of a
// converter: arg0, arg1, ... by their places.
Result<Value> CallForeign(Graph& graph, Heap& heap, std::string_view op, const Arguments& arguments,
                          const std::string& name);

}  // namespace athanor::pytorch
