// Recurrent layers: sequences, and cells as sequences of one step.
#include <algorithm>

#include "frontends/openvino/layer_import.h"

namespace athanor::openvino {
namespace {

struct Kind {
  std::string_view op;
  std::int64_t gates = 1;
  bool has_cell_state = false;
  Ints order;  // gate g of ours is gate order[g] of the file
  std::vector<std::string> activations;
};

const Kind kLstm = {"LSTM", 4, true, {1, 3, 0, 2}, {"Sigmoid", "Tanh", "Tanh"}};  // from f i c o
const Kind kGru = {"GRU", 3, false, {0, 1, 2}, {"Sigmoid", "Tanh"}};
const Kind kRnn = {"RNN", 1, false, {0}, {"Tanh"}};

// The parts of weights [directions, gates * hidden, ...], one per gate.
Result<std::vector<ValueId>> Gates(LayerImport& ctx, ValueId weights, std::int64_t gates) {
  return ctx.AddMany("Split", {weights}, {{"axis", std::int64_t{1}}, {"num_outputs", gates}},
                     static_cast<std::size_t>(gates));
}

Result<ValueId> Joined(LayerImport& ctx, std::vector<ValueId> parts) {
  return ctx.Add("Concat", parts, {{"axis", std::int64_t{1}}});
}

Result<ValueId> Reordered(LayerImport& ctx, ValueId weights, const Kind& kind) {
  if (std::is_sorted(kind.order.begin(), kind.order.end())) return weights;
  ATH_TRY(const std::vector<ValueId> gates, Gates(ctx, weights, kind.gates));
  std::vector<ValueId> parts;
  for (const std::int64_t gate : kind.order) parts.push_back(gates[static_cast<std::size_t>(gate)]);
  return Joined(ctx, std::move(parts));
}

// The file adds the biases of both products; only where the reset gate works behind the product
// does the new state have two.
Result<ValueId> Bias(LayerImport& ctx, ValueId bias, const Kind& kind, bool two_for_state) {
  if (two_for_state) {
    ATH_TRY(const std::vector<ValueId> parts, Gates(ctx, bias, 4));
    ATH_TRY(const ValueId none, ctx.Add("Sub", {parts[0], parts[0]}));
    return Joined(ctx, {parts[0], parts[1], parts[2], none, none, parts[3]});
  }
  ATH_TRY(const ValueId ordered, Reordered(ctx, bias, kind));
  ATH_TRY(const ValueId none, ctx.Add("Sub", {ordered, ordered}));
  return Joined(ctx, {ordered, none});
}

Result<AttrMap> Attributes(const LayerImport& ctx, const Kind& kind, std::string direction) {
  if (ctx.Has("activations_alpha") && !ctx.Floats("activations_alpha").empty())
    return Unsupported("parameters of activations are not read");
  std::vector<std::string> names = kind.activations;
  if (ctx.Has("activations")) {
    names.clear();
    const std::string text = ctx.Text("activations", "");
    for (const std::string_view word : SplitWords(text)) {
      if (word != "sigmoid" && word != "tanh" && word != "relu")
        return Unsupported("activation \"{}\" is not read; sigmoid, tanh and relu are",
                           word.substr(0, 40));
      names.emplace_back(word == "sigmoid" ? "Sigmoid" : word == "tanh" ? "Tanh" : "Relu");
    }
    if (names.empty()) names = kind.activations;
  }
  if (names.size() != kind.activations.size())
    return InvalidModel("{} activations; {} are expected", names.size(), kind.activations.size());
  if (direction == "bidirectional") {
    const std::vector<std::string> again = names;
    names.insert(names.end(), again.begin(), again.end());
  }
  AttrMap attributes = {{"activations", names},
                        {"direction", std::move(direction)},
                        {"hidden_size", ctx.Int("hidden_size", 0)}};
  if (const float clip = ctx.Float("clip", 0); clip > 0) attributes.Set("clip", clip);
  if (kind.op == "GRU")
    attributes.Set("linear_before_reset",
                   std::int64_t{ctx.Bool("linear_before_reset", false) ? 1 : 0});
  return attributes;
}

// The operator on inputs in the form of ONNX: x, w, r, b, lengths, h, c.
Result<std::vector<ValueId>> Run(LayerImport& ctx, const Kind& kind, std::vector<ValueId> in,
                                 std::string direction) {
  ATH_TRY(AttrMap attributes, Attributes(ctx, kind, std::move(direction)));
  ATH_TRY(in[1], Reordered(ctx, in[1], kind));
  ATH_TRY(in[2], Reordered(ctx, in[2], kind));
  const bool two = kind.op == "GRU" && ctx.Bool("linear_before_reset", false);
  ATH_TRY(in[3], Bias(ctx, in[3], kind, two));
  return ctx.AddMany(kind.op, in, std::move(attributes), kind.has_cell_state ? 3 : 2);
}

// x [batch, length, input], states [batch, directions, hidden], lengths, w, r, b
std::function<Status(LayerImport&)> Sequence(const Kind& kind) {
  return [&kind](LayerImport& ctx) -> Status {
    const std::size_t states = kind.has_cell_state ? 2 : 1;
    if (ctx.inputs.size() != 5 + states) return InvalidModel("{} inputs", ctx.inputs.size());
    const Ints exchange = {1, 0, 2};
    ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), exchange));
    ATH_TRY(const ValueId lengths, ctx.Cast(ctx.In(1 + states), DType::kI32));
    std::vector<ValueId> in = {x, ctx.In(2 + states), ctx.In(3 + states), ctx.In(4 + states),
                               lengths};
    for (std::size_t i = 0; i < states; ++i) {
      ATH_TRY(const ValueId state, ctx.Permuted(ctx.In(1 + i), exchange));
      in.push_back(state);
    }
    ATH_TRY(ctx.outputs, Run(ctx, kind, std::move(in), ctx.Text("direction", "forward")));
    // [length, directions, batch, hidden]
    ATH_TRY(ctx.outputs[0], ctx.Permuted(ctx.outputs[0], {2, 1, 0, 3}));
    for (std::size_t i = 1; i < ctx.outputs.size(); ++i) {
      ATH_TRY(ctx.outputs[i], ctx.Permuted(ctx.outputs[i], exchange));
    }
    return {};
  };
}

// x [batch, input], states [batch, hidden], w, r, b without directions
std::function<Status(LayerImport&)> Cell(const Kind& kind) {
  return [&kind](LayerImport& ctx) -> Status {
    const std::size_t states = kind.has_cell_state ? 2 : 1;
    if (ctx.inputs.size() != 4 + states) return Unsupported("a cell without bias is not read");
    std::vector<ValueId> one;
    for (const ValueId input : ctx.inputs) {
      ATH_TRY(const ValueId first, ctx.Add("Unsqueeze", {input, ctx.ConstantInts({0})}));
      one.push_back(first);
    }
    std::vector<ValueId> in = {one[0],          one[1 + states], one[2 + states],
                               one[3 + states], kNoValue,        one[1]};
    if (states == 2) in.push_back(one[2]);
    ATH_TRY(const std::vector<ValueId> made, Run(ctx, kind, std::move(in), "forward"));
    for (std::size_t i = 1; i < made.size(); ++i) {
      ATH_TRY(const ValueId state, ctx.Add("Squeeze", {made[i], ctx.ConstantInts({0})}));
      ctx.outputs.push_back(state);
    }
    return {};
  };
}

}  // namespace

// clang-format off
std::vector<Row> RecurrentRows() {
  return {
      {"GRUCell", 5, 5, Cell(kGru)},
      {"GRUSequence", 6, 6, Sequence(kGru)},
      {"LSTMCell", 6, 6, Cell(kLstm)},
      {"LSTMSequence", 7, 7, Sequence(kLstm)},
      {"RNNCell", 5, 5, Cell(kRnn)},
      {"RNNSequence", 6, 6, Sequence(kRnn)},
  };
}
// clang-format on

}  // namespace athanor::openvino
