// RNN: stacked LSTM, GRU and plain recurrent layers, in one or both directions.
//
// All parameters are one list: for each layer and direction the weights of the input and of the
// state, then for each the two biases.
#include <algorithm>

#include "frontends/mxnet/op_import.h"
#include "frontends/recurrent_steps.h"

namespace athanor::mxnet {
namespace {

// Takes parts of the list, from the front.
struct ParameterList {
  OpImport& ctx;
  ValueId list;
  std::int64_t begin = 0;

  ValueId Take(std::int64_t rows, std::int64_t columns) {
    const std::int64_t end = begin + rows * std::max<std::int64_t>(columns, 1);
    const ValueId part = ctx.Slice(list, 0, begin, end);
    begin = end;
    return columns == 0 ? part : ctx.Reshape(part, {rows, columns});
  }
};

// Weights and biases of all layers; empty when the list has another length.
std::vector<ValueId> Divided(OpImport& ctx, const LayerStack& stack, std::int64_t hidden,
                             std::int64_t inputs) {
  const std::int64_t rows = hidden * std::ssize(stack.kind.gates);
  ParameterList list = {ctx, ctx.In(1)};
  const std::int64_t length = ctx.Static(list.list, 0);
  std::vector<ValueId> parts;
  for (std::int64_t layer = 0; layer < stack.layers; ++layer) {
    const std::int64_t columns = layer == 0 ? inputs : hidden * stack.directions;
    for (std::int64_t direction = 0; direction < stack.directions && ctx.ok(); ++direction) {
      parts.push_back(list.Take(rows, columns));
      parts.push_back(list.Take(rows, hidden));
      if (!ctx.Expect(list.begin <= length, "{} parameters are too few", length)) return {};
    }
  }
  for (std::int64_t i = 0; i < 2 * stack.layers * stack.directions && ctx.ok(); ++i)
    parts.push_back(list.Take(rows, 0));
  ctx.Expect(list.begin == length, "{} parameters; the layers have {}", length, list.begin);
  return parts;
}

// The size of the input, which follows from the number of parameters where it is open.
std::int64_t InputSize(OpImport& ctx, const LayerStack& stack, std::int64_t hidden) {
  if (const auto size = ctx.SizeIfKnown(ctx.In(), 2)) return *size;
  const std::int64_t rows = hidden * std::ssize(stack.kind.gates) * stack.directions;
  const std::int64_t columns =
      hidden + (stack.layers - 1) * hidden * (stack.directions + 1) + 2 * stack.layers;
  return (ctx.Static(ctx.In(1), 0) - rows * columns) / rows;
}

void Recurrent(OpImport& ctx) {
  std::string mode(ctx.Text("mode"));
  std::transform(mode.begin(), mode.end(), mode.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  const Recurrence* kind = FindRecurrence(mode);
  if (!ctx.Expect(kind != nullptr, "mode {} is not read; lstm, gru, rnn_tanh and rnn_relu are",
                  ctx.Text("mode").substr(0, 40)))
    return;
  for (const char* name : {"projection_size", "lstm_state_clip_min", "lstm_state_clip_max"})
    ctx.Expect(!ctx.IsGiven(name), "{} is not read", name);
  ctx.Expect(!ctx.Flag("use_sequence_length"), "use_sequence_length is not read");
  LayerStack stack = {*kind, ctx.Int("num_layers", 1), ctx.Flag("bidirectional") ? 2 : 1, {}};
  const ValueId x = ctx.In();
  const std::int64_t hidden = ctx.Int("state_size", 0);
  constexpr std::int64_t kMostSize = 1 << 20;
  if (!ctx.Expect(stack.layers >= 1 && stack.layers <= 1000 && hidden >= 1 && hidden <= kMostSize,
                  "{} layers of {} units", stack.layers, hidden) ||
      !ctx.Expect(ctx.Rank(x) == 3, "an input of {} axes", ctx.Rank(x)))
    return;
  const std::int64_t inputs = InputSize(ctx, stack, hidden);
  if (!ctx.Expect(inputs >= 1 && inputs <= kMostSize, "{} inputs", inputs)) return;
  stack.weights = Divided(ctx, stack, hidden, inputs);
  std::vector<ValueId> states;
  for (std::size_t i = 2; i < 2 + kind->states(); ++i)
    states.push_back(!ctx.Has(i) || ctx.IsZeros(i) ? kNoValue : ctx.In(i));
  if (!ctx.ok()) return;
  const StackOutput done = AddStack(ctx, stack, x, states);
  ctx.Give(done.y);
  if (!ctx.Flag("state_outputs")) return;
  ctx.outputs.insert(ctx.outputs.end(), done.states.begin(), done.states.end());
}

}  // namespace

std::vector<Row> RecurrentRows() {
  return {
      {"RNN", Recurrent, "", 3, 4},
  };
}

}  // namespace athanor::mxnet
