// Recurrent layers over [sequence, batch, size, 1, 1].
#include <algorithm>

#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

struct SimpleRecurrent {
  std::int64_t input = 0, output = 0;
  Activation activation;
  bool all_steps = false, has_bias = false, is_reverse = false;
  WeightParams weights, recursion, bias;
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(10, activation), v(15, all_steps), v(20, has_bias);
    v(30, weights), v(31, recursion), v(32, bias), v(100, is_reverse);
  }
};

struct Gru {
  std::int64_t input = 0, output = 0;
  std::vector<Activation> activations;
  bool all_steps = false, has_bias = false, is_reverse = false;
  WeightParams weights[3], recursion[3], bias[3];  // update, reset, output
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(10, activations), v(15, all_steps), v(20, has_bias);
    for (int i = 0; i < 3; ++i) v(30 + i, weights[i]), v(50 + i, recursion[i]), v(70 + i, bias[i]);
    v(100, is_reverse);
  }
};

struct LstmOptions {
  bool all_steps = false, has_bias = false, forget_bias = false, has_peepholes = false,
       is_coupled = false;
  float cell_limit = 0;
  template <class V>
  void Fields(V& v) {
    v(10, all_steps), v(20, has_bias), v(30, forget_bias), v(40, has_peepholes), v(50, is_coupled);
    v(60, cell_limit);
  }
};

struct LstmWeights {
  WeightParams weights[4], recursion[4], bias[4];  // input, forget, block input, output
  WeightParams peepholes[3];                       // input, forget, output
  template <class V>
  void Fields(V& v) {
    for (int i = 0; i < 4; ++i) v(1 + i, weights[i]), v(20 + i, recursion[i]), v(40 + i, bias[i]);
    for (int i = 0; i < 3; ++i) v(60 + i, peepholes[i]);
  }
};

struct Lstm {  // in one direction or both
  std::int64_t input = 0, output = 0;
  std::vector<Activation> activations, activations_back;
  LstmOptions options;
  std::vector<LstmWeights> weights;
  bool is_reverse = false;
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(10, activations), v(11, activations_back), v(15, options);
    v(20, weights), v(100, is_reverse);
  }
};

// What the graph's operator is made of. Gates stand in its order.
struct Cell {
  std::string_view op;
  std::int64_t hidden = 0, directions = 1;
  ValueId w = kNoValue, r = kNoValue, b = kNoValue, peepholes = kNoValue;
  std::vector<Activation> activations = {};
  bool all_steps = false, is_reverse = false;
  std::size_t states() const { return op == "LSTM" ? 2 : 1; }
};

// The weights of the gates one below the other, as one direction: [1, gates * hidden, ...].
ValueId StackGates(LayerImport& ctx, const WeightParams* gates, const IntList& order,
                   const Dims& dims, std::string_view what) {
  std::vector<ValueId> parts;
  for (const std::int64_t gate : order) parts.push_back(ctx.WeightValue(gates[gate], dims, what));
  return ctx.Unsqueeze(parts.size() == 1 ? parts[0] : ctx.Join(parts, 0), {0});
}

// The file's bias beside zeros for the second one that the graph has.
ValueId StackBiases(LayerImport& ctx, const WeightParams* gates, const IntList& order,
                    std::int64_t hidden) {
  const ValueId given = StackGates(ctx, gates, order, {hidden}, "bias");
  return ctx.Join({given, ctx.Op("Mul", {given, ctx.Real(0)})}, 1);
}

bool Saturates(const Activation& a) {
  return a.sigmoid || a.tanh || a.hard_sigmoid || a.scaled_tanh;
}

// Names and parameters of the activations. What enters them is clipped to [-50, 50], which
// changes nothing where they are flat out there.
void SetActivations(LayerImport& ctx, const Cell& cell, AttrMap& attributes) {
  std::vector<std::string> names;
  std::vector<float> alphas, betas;
  bool is_flat = true;
  for (std::int64_t direction = 0; direction < cell.directions; ++direction) {
    for (const Activation& a : cell.activations) {
      is_flat = is_flat && Saturates(a);
      const auto add = [&](const char* name, const TwoReals& numbers) {
        names.emplace_back(name);
        alphas.push_back(numbers.first);
        betas.push_back(numbers.second);
      };
      if (a.sigmoid) {
        names.emplace_back("Sigmoid");
      } else if (a.tanh) {
        names.emplace_back("Tanh");
      } else if (a.relu) {
        names.emplace_back("Relu");
      } else if (a.linear) {
        add("Affine", *a.linear);
      } else if (a.scaled_tanh) {
        add("ScaledTanh", *a.scaled_tanh);
      } else if (a.hard_sigmoid) {
        add("HardSigmoid", *a.hard_sigmoid);
      } else {
        ctx.Fail(
            Unsupported("this activation is not read in a recurrent layer; linear, sigmoid, "
                        "tanh, ReLU, scaledTanh and sigmoidHard are"));
      }
    }
  }
  attributes.Set("activations", names);
  if (!alphas.empty()) attributes.Set("activation_alpha", alphas);
  if (!betas.empty()) attributes.Set("activation_beta", betas);
  if (!is_flat) attributes.Set("clip", 50.0F);
}

// [sequence, batch, size] of an input that has two more axes, or one where two are merged.
ValueId Sequence(LayerImport& ctx, ValueId x) {
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(rank == (ctx.form == Form::kMerged ? 4 : 5),
                  "an input of {} axes; [sequence, batch, size, 1, 1] is wanted", rank))
    return kNoValue;
  if (rank == 4) return ctx.Unsqueeze(ctx.Squeeze(x, {2, 3}), {1});
  return ctx.Squeeze(x, {3, 4});
}

// Back from [sequence, batch, size].
ValueId Unrolled(LayerImport& ctx, ValueId y) {
  if (ctx.form == Form::kMerged) return ctx.Unsqueeze(ctx.Squeeze(y, {1}), {2, 3});
  return ctx.Unsqueeze(y, {3, 4});
}

// States of each direction: inputs behind the first one, h and c of one direction after the other.
std::vector<ValueId> StatesOf(LayerImport& ctx, const Cell& cell) {
  const auto directions = static_cast<std::size_t>(cell.directions);
  if (ctx.count() == 1) return std::vector<ValueId>(cell.states(), kNoValue);
  if (!ctx.Expect(ctx.count() == 1 + directions * cell.states(), "{} inputs", ctx.count()))
    return {};
  std::vector<ValueId> states;
  for (std::size_t state = 0; state < cell.states(); ++state) {
    std::vector<ValueId> parts;
    for (std::size_t d = 0; d < directions; ++d)
      parts.push_back(Sequence(ctx, ctx.In(1 + d * cell.states() + state)));
    states.push_back(parts.size() == 1 ? parts[0] : ctx.Join(parts, 0));
  }
  return states;
}

void AddCell(LayerImport& ctx, const Cell& cell, AttrMap attributes) {
  if (!ctx.Expect(!cell.is_reverse || !cell.all_steps,
                  "reverseInput with sequenceOutput is not read: the specification does not say "
                  "in which order the outputs come"))
    return;
  const std::size_t activations = cell.op == "LSTM" ? 3 : cell.op == "GRU" ? 2 : 1;
  if (!ctx.Expect(cell.activations.size() == activations, "{} activations; {} are wanted",
                  cell.activations.size(), activations))
    return;
  attributes.Set("hidden_size", cell.hidden);
  if (cell.directions == 2) attributes.Set("direction", std::string("bidirectional"));
  if (cell.is_reverse) attributes.Set("direction", std::string("reverse"));
  SetActivations(ctx, cell, attributes);
  std::vector<ValueId> inputs = {Sequence(ctx, ctx.In()), cell.w, cell.r, cell.b, kNoValue};
  for (const ValueId state : StatesOf(ctx, cell)) inputs.push_back(state);
  if (cell.peepholes != kNoValue) inputs.push_back(cell.peepholes);
  const std::vector<ValueId> made =
      ctx.Ops(cell.op, inputs, 1 + cell.states(), std::move(attributes));
  const std::int64_t size = cell.hidden * cell.directions;
  ValueId y = kNoValue;
  if (cell.all_steps) {
    y = ctx.Reshape(ctx.Transpose(made[0], {0, 2, 1, 3}), {0, 0, size});
  } else {
    y = ctx.Unsqueeze(ctx.Reshape(ctx.Transpose(made[1], {1, 0, 2}), {0, size}), {0});
  }
  ctx.outputs = {Unrolled(ctx, y)};
  for (std::int64_t d = 0; d < cell.directions; ++d) {
    for (std::size_t state = 0; state < cell.states(); ++state) {
      const ValueId all = made[1 + state];
      ctx.outputs.push_back(
          Unrolled(ctx, cell.directions == 1 ? all : ctx.Slice(all, 0, d, d + 1)));
    }
  }
  ctx.outputs.resize(std::min(ctx.outputs.size(), ctx.layer.outputs.size()));
}

void SimpleRecurrentLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<SimpleRecurrent>();
  const std::int64_t in = ctx.Size(p.input, "inputVectorSize"),
                     hidden = ctx.Size(p.output, "outputVectorSize");
  Cell cell = {"RNN", hidden};
  cell.w = StackGates(ctx, &p.weights, {0}, {hidden, in}, "weightMatrix");
  cell.r = StackGates(ctx, &p.recursion, {0}, {hidden, hidden}, "recursionMatrix");
  if (p.has_bias) cell.b = StackBiases(ctx, &p.bias, {0}, hidden);
  cell.activations = {p.activation};
  cell.all_steps = p.all_steps;
  cell.is_reverse = p.is_reverse;
  AddCell(ctx, cell, {});
}

void GruLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<Gru>();
  const std::int64_t in = ctx.Size(p.input, "inputVectorSize"),
                     hidden = ctx.Size(p.output, "outputVectorSize");
  const IntList order = {0, 1, 2};
  Cell cell = {"GRU", hidden};
  cell.w = StackGates(ctx, p.weights, order, {hidden, in}, "weights");
  cell.r = StackGates(ctx, p.recursion, order, {hidden, hidden}, "recursion weights");
  if (p.has_bias) cell.b = StackBiases(ctx, p.bias, order, hidden);
  cell.activations = p.activations;
  cell.all_steps = p.all_steps;
  cell.is_reverse = p.is_reverse;
  AddCell(ctx, cell, {{"linear_before_reset", std::int64_t{0}}});
}

ValueId AddForgetBias(LayerImport& ctx, ValueId biases, std::int64_t hidden) {
  std::vector<float> more(static_cast<std::size_t>(8 * hidden), 0.0F);
  // Gates are input, output, forget, cell there.
  std::fill_n(more.begin() + 2 * hidden, hidden, 1.0F);
  return ctx.Op("Add", {biases, ctx.Floats({1, 8 * hidden}, more)});
}

void LstmLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<Lstm>();
  const bool is_double = ctx.row.op == "bidirectional";
  const std::int64_t in = ctx.Size(p.input, "inputVectorSize"),
                     hidden = ctx.Size(p.output, "outputVectorSize");
  const LstmOptions& options = p.options;
  constexpr float kUsualLimit = 50;
  constexpr std::int64_t kMostHidden = 1 << 24;
  if (!ctx.Expect(p.weights.size() == (is_double ? 2U : 1U), "weights of {} directions",
                  p.weights.size()) ||
      !ctx.Expect(options.cell_limit == 0 || options.cell_limit >= kUsualLimit,
                  "a cellClipThreshold of {} is not read; {} and more is", options.cell_limit,
                  kUsualLimit) ||
      !ctx.Expect(hidden <= kMostHidden, "outputVectorSize is {}", hidden))
    return;
  // Input, forget, block input, output in the file; input, output, forget, cell in the graph.
  const IntList order = {0, 3, 1, 2}, peephole_order = {0, 2, 1};
  std::vector<ValueId> w, r, b, peepholes;
  for (const LstmWeights& one : p.weights) {
    w.push_back(StackGates(ctx, one.weights, order, {hidden, in}, "weights"));
    r.push_back(StackGates(ctx, one.recursion, order, {hidden, hidden}, "recursion weights"));
    ValueId bias = kNoValue;
    if (options.has_bias) bias = StackBiases(ctx, one.bias, order, hidden);
    if (!options.has_bias && options.forget_bias)
      bias = ctx.Floats({1, 8 * hidden}, std::vector<float>(static_cast<std::size_t>(8 * hidden)));
    if (options.forget_bias) bias = AddForgetBias(ctx, bias, hidden);
    if (bias != kNoValue) b.push_back(bias);
    if (options.has_peepholes)
      peepholes.push_back(StackGates(ctx, one.peepholes, peephole_order, {hidden}, "peepholes"));
  }
  const auto joined = [&](const std::vector<ValueId>& parts) {
    return parts.empty() ? kNoValue : parts.size() == 1 ? parts[0] : ctx.Join(parts, 0);
  };
  Cell cell = {"LSTM",    hidden,    is_double ? 2 : 1, joined(w),
               joined(r), joined(b), joined(peepholes)};
  cell.activations = p.activations;
  cell.all_steps = options.all_steps;
  cell.is_reverse = p.is_reverse;
  AddCell(ctx, cell, {{"input_forget", std::int64_t{options.is_coupled}}});
}

}  // namespace

// clang-format off
std::vector<Row> RecurrentRows() {
  return {
      {400, "simpleRecurrent", SimpleRecurrentLayer, "", 1, 2, 2},
      {410, "gru", GruLayer, "", 1, 2, 2},
      {420, "uniDirectionalLSTM", LstmLayer, "", 1, 3, 3},
      {430, "biDirectionalLSTM", LstmLayer, "bidirectional", 1, 5, 5},
  };
}
// clang-format on

}  // namespace athanor::coreml
