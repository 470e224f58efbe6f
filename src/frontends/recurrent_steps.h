// Stacks of LSTM, GRU and plain recurrent layers, with weights in the order that cuDNN defines and
// several formats keep.
#pragma once

#include <string_view>
#include <vector>

#include "frontends/value_steps.h"

namespace athanor {

// Gates of an LSTM stand as (input, forget, cell, output) there, in the graph as (input, output,
// forget, cell); of a GRU as (reset, update, new), in the graph as (update, reset, new).
struct Recurrence {
  std::string_view mode;
  std::string_view op;
  std::vector<std::int64_t> gates;  // the graph's order in numbers of the file's
  std::string_view activation = "";
  std::size_t states() const { return op == "LSTM" ? 2 : 1; }
};
// "LSTM", "GRU", "RNN_TANH", "RNN_RELU"; nullptr for another.
const Recurrence* FindRecurrence(std::string_view mode);

struct LayerStack {
  const Recurrence& kind;
  std::int64_t layers = 1, directions = 1;
  // Of all layers and directions two each (of the input, of the state); then biases.
  std::vector<ValueId> weights;
  ValueId lengths = kNoValue;  // of the sequences
};

struct StackOutput {
  ValueId y = kNoValue;
  std::vector<ValueId> states;
};

// x [time, batch, size]; states [layers * directions, batch, hidden], kNoValue: zeros.
StackOutput AddStack(ValueSteps& ctx, const LayerStack& stack, ValueId x,
                     const std::vector<ValueId>& states);

}  // namespace athanor
