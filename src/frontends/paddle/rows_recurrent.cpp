// LSTM, GRU and plain recurrent layers: stacked, in one or both directions.
//
// PaddlePaddle keeps the gates of an LSTM as (input, forget, cell, output), the graph as (input,
// output, forget, cell); of a GRU as (reset, update, new), the graph as (update, reset, new).
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

struct Recurrence {
  std::string_view mode;
  std::string_view op;
  std::vector<std::int64_t> gates;  // the graph's order in numbers of PaddlePaddle's
  std::string activation = "";
};

const Recurrence* FindRecurrence(std::string_view mode) {
  static const Recurrence kinds[] = {{"LSTM", "LSTM", {0, 3, 1, 2}},
                                     {"GRU", "GRU", {1, 0, 2}},
                                     {"RNN_TANH", "RNN", {0}, "Tanh"},
                                     {"RNN_RELU", "RNN", {0}, "Relu"}};
  for (const Recurrence& kind : kinds) {
    if (kind.mode == mode) return &kind;
  }
  return nullptr;
}

// The blocks of a weight or a bias, one per gate, in the graph's order.
ValueId GatesInOrder(OpImport& ctx, ValueId w, const IntList& gates) {
  const std::int64_t hidden = ctx.Static(w, 0) / std::ssize(gates);
  std::vector<ValueId> blocks;
  for (const std::int64_t gate : gates)
    blocks.push_back(ctx.Slice(w, 0, gate * hidden, (gate + 1) * hidden));
  return blocks.size() == 1 ? w : ctx.Join(blocks, 0);
}

ValueId Stacked(OpImport& ctx, std::vector<ValueId> directions) {
  for (ValueId& one : directions) one = ctx.Unsqueeze(one, {0});
  return directions.size() == 1 ? directions[0] : ctx.Join(directions, 0);
}

// Weights of all layers and directions, two each (of the input, of the state); then biases.
struct LayerStack {
  const Recurrence& kind;
  std::int64_t layers, directions;
  std::vector<ValueId> weights;
  ValueId lengths = kNoValue;  // of the sequences
};

struct LayerOutput {
  ValueId y = kNoValue;
  std::vector<ValueId> states;
};

LayerOutput AddLayer(OpImport& ctx, const LayerStack& stack, std::int64_t layer, ValueId x,
                     const std::vector<ValueId>& states) {
  const auto pairs = static_cast<std::size_t>(stack.layers * stack.directions);
  std::vector<ValueId> w, r, b;
  for (std::int64_t d = 0; d < stack.directions; ++d) {
    const auto pair = static_cast<std::size_t>(layer * stack.directions + d);
    const auto in_order = [&](std::size_t i) {
      return GatesInOrder(ctx, stack.weights[i], stack.kind.gates);
    };
    w.push_back(in_order(2 * pair));
    r.push_back(in_order(2 * pair + 1));
    b.push_back(ctx.Join({in_order(2 * (pairs + pair)), in_order(2 * (pairs + pair) + 1)}, 0));
  }
  const std::int64_t hidden = ctx.Static(r[0], 1);
  AttrMap attributes = {{"hidden_size", hidden}};
  if (stack.directions == 2) attributes.Set("direction", std::string("bidirectional"));
  if (stack.kind.op == "GRU") attributes.Set("linear_before_reset", std::int64_t{1});
  if (!stack.kind.activation.empty())
    attributes.Set("activations",
                   std::vector<std::string>(static_cast<std::size_t>(stack.directions),
                                            stack.kind.activation));
  std::vector<ValueId> inputs = {x, Stacked(ctx, w), Stacked(ctx, r), Stacked(ctx, b),
                                 stack.lengths};
  for (const ValueId state : states) {
    const std::int64_t from = layer * stack.directions;
    inputs.push_back(stack.layers == 1 ? state
                                       : ctx.Slice(state, 0, from, from + stack.directions));
  }
  const std::vector<ValueId> out =
      ctx.Ops(stack.kind.op, inputs, 1 + states.size(), std::move(attributes));
  // [time, directions, batch, hidden] -> [time, batch, directions * hidden]
  const ValueId y =
      ctx.Reshape(ctx.Transpose(out[0], {0, 2, 1, 3}), {0, 0, hidden * stack.directions});
  return {y, {out.begin() + 1, out.end()}};
}

void Recurrent(OpImport& ctx) {
  const Recurrence* kind = FindRecurrence(ctx.Text("mode", "RNN_TANH"));
  if (!ctx.Expect(kind != nullptr, "mode {} is not read; LSTM, GRU, RNN_TANH and RNN_RELU are",
                  ctx.Text("mode")))
    return;
  LayerStack stack = {*kind, ctx.Int("num_layers", 1), ctx.Flag("is_bidirec") ? 2 : 1,
                      ctx.List("WeightList")};
  const std::vector<ValueId> states = ctx.List("PreState");
  const bool fits = stack.layers >= 1 && stack.layers <= 1000 &&
                    std::ssize(stack.weights) == 4 * stack.layers * stack.directions;
  if (!ctx.Expect(fits, "{} weights of {} layers", stack.weights.size(), stack.layers)) return;
  if (!ctx.Expect(states.size() == (kind->op == "LSTM" ? 2U : 1U), "{} states", states.size()))
    return;
  if (ctx.Has("SequenceLength")) stack.lengths = ctx.Cast(ctx.In("SequenceLength"), DType::kI32);
  LayerOutput done = {ctx.In("Input"), {}};
  std::vector<std::vector<ValueId>> last(states.size());
  for (std::int64_t layer = 0; layer < stack.layers && ctx.ok(); ++layer) {
    done = AddLayer(ctx, stack, layer, done.y, states);
    for (std::size_t i = 0; i < states.size(); ++i) last[i].push_back(done.states[i]);
  }
  std::vector<ValueId> joined;
  for (const std::vector<ValueId>& parts : last)
    joined.push_back(parts.size() == 1 ? parts[0] : ctx.Join(parts, 0));
  ctx.Give(done.y);
  ctx.GiveList(std::move(joined), "State");
}

}  // namespace

// clang-format off
std::vector<Row> RecurrentRows() {
  return {
      {"rnn", "rnn", "Input PreState WeightList SequenceLength DropoutState", "Out DropoutState State Reserve", Recurrent},
  };
}
// clang-format on

}  // namespace athanor::paddle
