// LSTM, GRU and plain recurrent layers: stacked, in one or both directions.
#include "frontends/paddle/op_import.h"
#include "frontends/recurrent_steps.h"

namespace athanor::paddle {
namespace {

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
  if (!ctx.Expect(states.size() == kind->states(), "{} states", states.size())) return;
  if (ctx.Has("SequenceLength")) stack.lengths = ctx.Cast(ctx.In("SequenceLength"), DType::kI32);
  const StackOutput done = AddStack(ctx, stack, ctx.In("Input"), states);
  ctx.Give(done.y);
  ctx.GiveList(done.states, "State");
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
