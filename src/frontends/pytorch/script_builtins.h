// What TorchScript's code calls besides operators on tensors: numbers, texts, lists, dictionaries.
#pragma once

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {

struct Builtins {
  Graph& graph;
  Heap& heap;
};

// `name`: "len", "__getitem__", "prim.NumToTensor". Nothing when no function here takes the
// arguments; then an operator may.
Result<std::optional<Value>> CallBuiltin(Builtins context, std::string_view name,
                                         const Arguments& arguments);

// x[i] for lists, tuples and dictionaries.
Result<Value> ItemAt(const Value& container, const Value& index);
// Whether a condition holds; an error when it is known only while running.
Result<bool> TruthOf(const Graph& graph, const Value& value);

}  // namespace athanor::pytorch
