// Arithmetic of scripts and exported programs on numbers: folded where known, else operators of the
// graph on i64[1].
#pragma once

#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

// `op`: add, sub, mul, truediv, floordiv, mod, neg, pow, lt, le, gt, ge, eq, ne, min, max, and, or,
// not, int, float, bool, ceil, floor, trunc, round, sqrt. Nothing for a name that is none of these.
bool IsNumberOperation(std::string_view op);
Result<Value> NumberOperation(Graph& graph, std::string_view op, std::span<const Value> arguments);

// The number that a symbol is known to have, else itself.
Value Settled(const Graph& graph, Value value);
// A tensor of one element as a number (int(x), x.item()); integers only, unless it is a constant.
Result<Value> NumberOfTensor(Graph& graph, ValueId tensor);

}  // namespace athanor::pytorch
