// Recurrent layers, step by step: each step may be told to forget what came before.
#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

// Inputs x [T, N, ...] and "cont" [T, N]: 0 where a sequence starts. What the steps share.
struct Sequence {
  std::int64_t steps = 0, batch = 0, hidden = 0;
  ValueId projected = kNoValue;  // x W^T + b: [T, N, gates * hidden]
  ValueId keeps = kNoValue;      // [T, N, 1]
};

ValueId Step(LayerImport& ctx, ValueId x, std::int64_t step) {
  return ctx.Slice(x, 0, step, step + 1);
}

// x W^T for a weight [out, in].
ValueId Product(LayerImport& ctx, ValueId x, ValueId weight) {
  return ctx.Op("MatMul", {x, ctx.Transpose(weight, {1, 0})});
}

// Weights 0 and 1 are those of x, for `gates` numbers per hidden one.
Sequence ReadSequence(LayerImport& ctx, std::int64_t gates) {
  constexpr std::int64_t kMostSteps = 512;
  Params& param = ctx.Param("recurrent_param");
  param.Ignore({"weight_filler", "bias_filler", "debug_info"});
  if (param.Bool("expose_hidden", false))
    ctx.Fail(Unsupported("states as inputs and outputs (expose_hidden) are not read"));
  Sequence s = {.steps = ctx.Dim(0), .batch = ctx.Dim(1), .hidden = param.Int("num_output", 0)};
  if (s.hidden < 1 || s.hidden > 1 << 20)
    ctx.Fail(InvalidModel("num_output is {}; a positive number is expected", s.hidden));
  if (s.steps < 1 || s.steps > kMostSteps)
    ctx.Fail(Unsupported("{} steps are not read; up to {} are", s.steps, kMostSteps));
  const std::int64_t size = ctx.Count(2, ctx.Rank());
  if (!ctx.problem().ok()) return s;
  const std::int64_t numbers = gates * s.hidden;
  const ValueId weight = ctx.Weight(0, {numbers, size}, Fill::kSpread);
  const ValueId rows = ctx.Reshape(ctx.In(), {0, 0, size});
  s.projected = ctx.Op("Add", {Product(ctx, rows, weight), ctx.Weight(1, {numbers}, Fill::kShift)});
  s.keeps = ctx.Op("Unsqueeze", {ctx.In(1), ctx.Ints({2})});
  return s;
}

ValueId Zeros(LayerImport& ctx, const Sequence& s) {
  const std::int64_t count = s.batch * s.hidden;
  if (count > 1 << 24) ctx.Fail(InvalidModel("a state of {} x {} is too large", s.batch, s.hidden));
  if (!ctx.problem().ok()) return kNoValue;
  return ctx.Floats({1, s.batch, s.hidden}, std::vector<float>(static_cast<std::size_t>(count), 0));
}

// Gates in the order input, forget, output, candidate (Donahue et al., arXiv 1411.4389).
Status Lstm(LayerImport& ctx) {
  const Sequence s = ReadSequence(ctx, 4);
  ValueId hidden = Zeros(ctx, s), cell = hidden;
  ATH_RETURN_IF_ERROR(ctx.problem());
  const ValueId weight = ctx.Weight(2, {4 * s.hidden, s.hidden}, Fill::kSpread);
  std::vector<ValueId> outputs;
  for (std::int64_t t = 0; t < s.steps; ++t) {
    const ValueId keep = Step(ctx, s.keeps, t);
    const ValueId before = Product(ctx, ctx.Op("Mul", {hidden, keep}), weight);
    const ValueId gates = ctx.Op("Add", {Step(ctx, s.projected, t), before});
    const auto gate = [&](std::int64_t i, std::string_view squash) {
      return ctx.Op(squash, {ctx.Slice(gates, 2, i * s.hidden, (i + 1) * s.hidden)});
    };
    const ValueId kept = ctx.Op("Mul", {ctx.Op("Mul", {gate(1, "Sigmoid"), keep}), cell});
    cell = ctx.Op("Add", {kept, ctx.Op("Mul", {gate(0, "Sigmoid"), gate(3, "Tanh")})});
    hidden = ctx.Op("Mul", {gate(2, "Sigmoid"), ctx.Op("Tanh", {cell})});
    outputs.push_back(hidden);
  }
  return ctx.Give(ctx.Join(outputs, 0));
}

// h = tanh(W_xh x + b_h + W_hh h), y = tanh(W_ho h + b_o)
Status Rnn(LayerImport& ctx) {
  const Sequence s = ReadSequence(ctx, 1);
  ValueId hidden = Zeros(ctx, s);
  ATH_RETURN_IF_ERROR(ctx.problem());
  const ValueId weight = ctx.Weight(2, {s.hidden, s.hidden}, Fill::kSpread);
  std::vector<ValueId> states;
  for (std::int64_t t = 0; t < s.steps; ++t) {
    const ValueId before = Product(ctx, ctx.Op("Mul", {hidden, Step(ctx, s.keeps, t)}), weight);
    hidden = ctx.Op("Tanh", {ctx.Op("Add", {Step(ctx, s.projected, t), before})});
    states.push_back(hidden);
  }
  const ValueId out = ctx.Weight(3, {s.hidden, s.hidden}, Fill::kSpread);
  const ValueId shift = ctx.Weight(4, {s.hidden}, Fill::kShift);
  const ValueId rows = Product(ctx, ctx.Join(states, 0), out);
  return ctx.Give(ctx.Op("Tanh", {ctx.Op("Add", {rows, shift})}));
}

}  // namespace

std::vector<Row> RecurrentRows() {
  return {
      {.type = "LSTM", .inputs = {2, 2}, .make = Lstm},
      {.type = "RNN", .inputs = {2, 2}, .make = Rnn},
  };
}

}  // namespace athanor::caffe
