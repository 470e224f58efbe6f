// LSTM, GRU and plain recurrent layers: stacked, in one or both directions.
//
// PyTorch keeps the gates of an LSTM as (input, forget, cell, output), the graph as (input, output,
// forget, cell); of a GRU as (reset, update, new), the graph as (update, reset, new).
#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

struct Recurrence {
  std::string_view op;
  Ints gates;  // the graph's order in numbers of PyTorch's
  std::string activation = "";
};

struct Options {
  std::int64_t layers = 1;
  bool biases = true, both = false, batch_first = false;
  bool packed = false;
};

// The blocks of a weight or bias, one per gate, in the graph's order.
ValueId Reordered(OpImport& op, ValueId w, const Ints& gates) {
  if (gates.size() == 1) return w;
  const std::int64_t hidden = op.Static(w, 0) / std::ssize(gates);
  std::vector<ValueId> blocks;
  for (const std::int64_t gate : gates)
    blocks.push_back(op.Slice(w, 0, gate * hidden, (gate + 1) * hidden));
  return op.Add("Concat", blocks, {{"axis", std::int64_t{0}}});
}

ValueId JoinDirections(OpImport& op, const std::vector<ValueId>& parts) {
  std::vector<ValueId> stacked;
  for (const ValueId part : parts) stacked.push_back(op.Unsqueeze(part, {0}));
  return stacked.size() == 1 ? stacked[0] : op.Add("Concat", stacked, {{"axis", std::int64_t{0}}});
}

struct Layer {
  ValueId y = kNoValue, hidden = kNoValue, cell = kNoValue;
};

// x [time, batch, features]; the weights of one layer, direction after direction.
Layer AddLayer(OpImport& op, const Recurrence& kind, const Options& options, ValueId x,
               std::span<const ValueId> weights, ValueId hidden, ValueId cell) {
  const std::size_t directions = options.both ? 2 : 1, per = weights.size() / directions;
  std::vector<ValueId> w, r, b;
  for (std::size_t d = 0; d < directions; ++d) {
    const auto own = weights.subspan(d * per, per);
    w.push_back(Reordered(op, own[0], kind.gates));
    r.push_back(Reordered(op, own[1], kind.gates));
    if (options.biases)
      b.push_back(op.Add("Concat",
                         {Reordered(op, own[2], kind.gates), Reordered(op, own[3], kind.gates)},
                         {{"axis", std::int64_t{0}}}));
  }
  AttrMap attributes = {{"hidden_size", op.Static(r[0], 1)}};
  if (options.both) attributes.Set("direction", std::string("bidirectional"));
  if (kind.op == "GRU") attributes.Set("linear_before_reset", std::int64_t{1});
  if (!kind.activation.empty())
    attributes.Set("activations", std::vector<std::string>(directions, kind.activation));
  std::vector<ValueId> inputs = {x,
                                 JoinDirections(op, w),
                                 JoinDirections(op, r),
                                 options.biases ? JoinDirections(op, b) : kNoValue,
                                 kNoValue,
                                 hidden};
  const bool is_lstm = kind.op == "LSTM";
  if (is_lstm) inputs.push_back(cell);
  const std::vector<ValueId> out =
      op.AddMany(kind.op, inputs, is_lstm ? 3 : 2, std::move(attributes));
  // [time, directions, batch, hidden] -> [time, batch, directions * hidden]
  const std::int64_t width = op.Static(r[0], 1) * static_cast<std::int64_t>(directions);
  const ValueId y = op.Permute(out[0], {0, 2, 1, 3});
  return {op.Reshape(y, {0, 0, width}), out[1], is_lstm ? out[2] : kNoValue};
}

Value Run(OpImport& op, const Recurrence& kind, const std::vector<ValueId>& state) {
  const Options options = {.layers = op.Int("num_layers"),
                           .biases = op.Flag("has_biases"),
                           .both = op.Flag("bidirectional"),
                           .batch_first = op.Flag("batch_first")};
  ValueId x = op.Tensor("input");
  const bool batched = op.Rank(x) == 3;
  const std::vector<ValueId> params = op.Tensors("params");
  const std::size_t directions = options.both ? 2 : 1;
  const std::size_t per_layer = directions * (options.biases ? 4 : 2);
  if (!op.Expect(options.layers >= 1 && options.layers <= (1 << 12) &&
                     params.size() == per_layer * static_cast<std::size_t>(options.layers),
                 "{} weights for {} layers; projections are not read", params.size(),
                 options.layers))
    return {};
  if (op.Flag("train") && !op.Expect(op.Real("dropout") == 0, "training mode is not read"))
    return {};
  if (!op.Expect(batched || op.Rank(x) == 2, "input of rank {}", op.Rank(x))) return {};
  if (!batched) x = op.Unsqueeze(x, {1});
  if (batched && options.batch_first) x = op.Permute(x, {1, 0, 2});
  std::vector<ValueId> hidden, cell;
  for (std::int64_t layer = 0; layer < options.layers && op.ok(); ++layer) {
    const std::int64_t from = layer * static_cast<std::int64_t>(directions);
    const auto part = [&](std::size_t i) {
      if (i >= state.size()) return kNoValue;
      const ValueId whole = batched ? state[i] : op.Unsqueeze(state[i], {1});
      if (options.layers == 1) return whole;
      return op.Slice(whole, 0, from, from + static_cast<std::int64_t>(directions));
    };
    const Layer done =
        AddLayer(op, kind, options, x,
                 std::span(params).subspan(static_cast<std::size_t>(layer) * per_layer, per_layer),
                 part(0), part(1));
    x = done.y;
    hidden.push_back(done.hidden);
    cell.push_back(done.cell);
  }
  const auto joined = [&](const std::vector<ValueId>& parts) {
    const ValueId all =
        parts.size() == 1 ? parts[0] : op.Add("Concat", parts, {{"axis", std::int64_t{0}}});
    return batched ? all : op.Squeeze(all, {1});
  };
  if (batched && options.batch_first) x = op.Permute(x, {1, 0, 2});
  if (!batched) x = op.Squeeze(x, {1});
  if (kind.op == "LSTM") return op.GiveTuple({x, joined(hidden), joined(cell)});
  return op.GiveTuple({x, joined(hidden)});
}

Value Lstm(OpImport& op) {
  const std::vector<ValueId> state = op.Tensors("hx");
  if (!op.Expect(state.size() == 2, "{} states; 2 are expected", state.size())) return {};
  return Run(op, {"LSTM", {0, 3, 1, 2}}, state);
}
Value Gru(OpImport& op) { return Run(op, {"GRU", {1, 0, 2}}, {op.Tensor("hx")}); }
Value Rnn(OpImport& op) { return Run(op, {"RNN", {0}, op.row.op}, {op.Tensor("hx")}); }

// ---- one step of a layer: a sequence of length 1

Value Cell(OpImport& op, const Recurrence& kind, const std::vector<ValueId>& state) {
  const ValueId x = op.Tensor("input");
  const bool batched = op.Rank(x) == 2;
  const ValueId step = op.Unsqueeze(batched ? x : op.Unsqueeze(x, {0}), {0});
  std::vector<ValueId> weights = {op.Tensor("w_ih"), op.Tensor("w_hh")};
  Options options;
  options.biases = op.Has("b_ih");
  if (options.biases) weights.insert(weights.end(), {op.Tensor("b_ih"), op.Tensor("b_hh")});
  std::vector<ValueId> start;
  for (const ValueId s : state)
    start.push_back(op.Unsqueeze(batched ? s : op.Unsqueeze(s, {0}), {0}));
  start.resize(2, kNoValue);
  const Layer done = AddLayer(op, kind, options, step, weights, start[0], start[1]);
  const auto plain = [&](ValueId y) { return op.Squeeze(y, batched ? Ints{0} : Ints{0, 1}); };
  if (kind.op == "LSTM") return op.GiveTuple({plain(done.hidden), plain(done.cell)});
  return op.Give(plain(done.hidden));
}
Value LstmCell(OpImport& op) {
  const std::vector<ValueId> state = op.Tensors("hx");
  if (!op.Expect(state.size() == 2, "{} states; 2 are expected", state.size())) return {};
  return Cell(op, {"LSTM", {0, 3, 1, 2}}, state);
}
Value GruCell(OpImport& op) { return Cell(op, {"GRU", {1, 0, 2}}, {op.Tensor("hx")}); }
Value RnnCell(OpImport& op) { return Cell(op, {"RNN", {0}, op.row.op}, {op.Tensor("hx")}); }

}  // namespace

// clang-format off
std::vector<Row> RecurrentRows() {
  return {
      {"gru(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first)", Gru},
      {"gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", GruCell},
      {"lstm(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first)", Lstm},
      {"lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", LstmCell},
      {"rnn_relu(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first)", Rnn, "Relu"},
      {"rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", RnnCell, "Relu"},
      {"rnn_tanh(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first)", Rnn, "Tanh"},
      {"rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)", RnnCell, "Tanh"},
  };
}
// clang-format on

}  // namespace athanor::pytorch
