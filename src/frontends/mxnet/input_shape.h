// What an input of a network looks like. MXNet leaves that to whoever runs the network, unless the
// variable says it; then the first layer that reads it does.
#pragma once

#include "frontends/mxnet/parameters.h"
#include "frontends/mxnet/symbol.h"
#include "ir/type.h"

namespace athanor::mxnet {

// What the variable says itself; empty when it says nothing. Open sizes become symbols.
Result<Shape> SaidShape(const Node& variable);

// An error when neither the variable nor the layers behind it say how many axes it has.
Result<Type> TypeOfInput(const Symbol& symbol, const Parameters& parameters, std::size_t variable);

}  // namespace athanor::mxnet
