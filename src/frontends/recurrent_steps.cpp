#include "frontends/recurrent_steps.h"

namespace athanor {
namespace {

// The blocks of a weight or a bias, one per gate, in the graph's order.
ValueId GatesInOrder(ValueSteps& ctx, ValueId w, const std::vector<std::int64_t>& gates) {
  const std::int64_t hidden = ctx.Static(w, 0) / std::ssize(gates);
  std::vector<ValueId> blocks;
  for (const std::int64_t gate : gates)
    blocks.push_back(ctx.Slice(w, 0, gate * hidden, (gate + 1) * hidden));
  return blocks.size() == 1 ? w : ctx.Join(blocks, 0);
}

ValueId OnePerDirection(ValueSteps& ctx, std::vector<ValueId> directions) {
  for (ValueId& one : directions) one = ctx.Unsqueeze(one, {0});
  return directions.size() == 1 ? directions[0] : ctx.Join(directions, 0);
}

StackOutput AddLayer(ValueSteps& ctx, const LayerStack& stack, std::int64_t layer, ValueId x,
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
                                            std::string(stack.kind.activation)));
  std::vector<ValueId> inputs = {x, OnePerDirection(ctx, w), OnePerDirection(ctx, r),
                                 OnePerDirection(ctx, b), stack.lengths};
  for (const ValueId state : states) {
    const std::int64_t from = layer * stack.directions;
    const bool is_whole = stack.layers == 1 || state == kNoValue;
    inputs.push_back(is_whole ? state : ctx.Slice(state, 0, from, from + stack.directions));
  }
  const std::vector<ValueId> out =
      ctx.Ops(stack.kind.op, inputs, 1 + states.size(), std::move(attributes));
  // [time, directions, batch, hidden] -> [time, batch, directions * hidden]
  const ValueId y =
      ctx.Reshape(ctx.Transpose(out[0], {0, 2, 1, 3}), {0, 0, hidden * stack.directions});
  return {y, {out.begin() + 1, out.end()}};
}

}  // namespace

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

StackOutput AddStack(ValueSteps& ctx, const LayerStack& stack, ValueId x,
                     const std::vector<ValueId>& states) {
  StackOutput done = {x, {}};
  std::vector<std::vector<ValueId>> last(states.size());
  for (std::int64_t layer = 0; layer < stack.layers && ctx.ok(); ++layer) {
    done = AddLayer(ctx, stack, layer, done.y, states);
    for (std::size_t i = 0; i < states.size(); ++i) last[i].push_back(done.states[i]);
  }
  done.states.clear();
  for (const std::vector<ValueId>& parts : last)
    done.states.push_back(parts.size() == 1 ? parts[0] : ctx.Join(parts, 0));
  return done;
}

}  // namespace athanor
