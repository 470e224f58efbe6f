// Recurrent layers. Each run starts from states of 0.
#include <algorithm>

#include "core/text.h"
#include "frontends/keras/layer_import.h"

namespace athanor::keras {
namespace {

// One kind of recurrent layer in the file's terms and in the graph's.
struct Recurrence {
  std::string_view op;
  std::vector<std::int64_t> gates;  // the place in the file of each gate of the graph, in its order
  bool has_gate_activation = true;
};

const Recurrence kLstm = {"LSTM", {0, 3, 1, 2}, true};  // i, f, c, o in the file; i, o, f, c here
const Recurrence kGru = {"GRU", {0, 1, 2}, true};       // z, r, h in both
const Recurrence kSimple = {"RNN", {0}, false};

Result<std::string> GateActivation(const LayerImport& ctx, std::string_view key,
                                   std::string_view fallback) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"elu", "Elu"},           {"relu", "Relu"},         {"sigmoid", "Sigmoid"},
      {"softplus", "Softplus"}, {"softsign", "Softsign"}, {"tanh", "Tanh"}};
  const std::string name = ctx.Text(key, fallback);
  for (const auto& [file, graph] : kNames) {
    if (file == name) return std::string(graph);
  }
  return Unsupported("{} {} of a recurrent layer is not read", key, Quote(name));
}

// The parts of the gates along the last axis in the graph's order, the whole turned: [gates *
// hidden, n].
Result<ValueId> Gates(LayerImport& ctx, const Recurrence& kind, ValueId weights,
                      std::int64_t hidden) {
  std::vector<ValueId> parts;
  for (const std::int64_t gate : kind.gates) {
    ATH_TRY(const ValueId part, ctx.Add("Slice",
                                        {weights, ctx.Constants({gate * hidden}),
                                         ctx.Constants({(gate + 1) * hidden}), ctx.Constants({-1})},
                                        {}, nhwc::kAnySize));
    parts.push_back(part);
  }
  ATH_TRY(const ValueId all,
          ctx.Add("Concat", parts, {{"axis", std::int64_t{-1}}}, nhwc::kAnySize));
  if (ctx.TypeOf(all).rank() < 2) return all;
  return ctx.Permuted(all, {1, 0});
}

// Both biases, one behind the other: the file's may be one, which is added once, or two rows.
Result<ValueId> Biases(LayerImport& ctx, const Recurrence& kind, std::int64_t hidden) {
  const auto size = static_cast<std::int64_t>(kind.gates.size()) * hidden;
  const ValueId zeros = ctx.graph.AddConstant(
      Tensor::FromVector<float>({size}, std::vector<float>(static_cast<std::size_t>(size), 0.0F)));
  if (!ctx.Bool("use_bias", true))
    return ctx.Add("Concat", {zeros, zeros}, {{"axis", std::int64_t{0}}}, nhwc::kAnySize);
  ATH_TRY(const ValueId bias, ctx.Weight(2, "bias"));
  const Type type = ctx.TypeOf(bias);
  if (!type.HasRank() || type.rank() < 1 || type.rank() > 2)
    return InvalidModel("a bias is {}", type.ToString());
  if (type.rank() == 1) {
    ATH_TRY(const ValueId gates, Gates(ctx, kind, bias, hidden));
    return ctx.Add("Concat", {gates, zeros}, {{"axis", std::int64_t{0}}}, nhwc::kAnySize);
  }
  ATH_TRY(const ValueId columns, Gates(ctx, kind, bias, hidden));
  ATH_TRY(const ValueId rows, ctx.Permuted(columns, {1, 0}));
  return ctx.Add("Reshape", {rows, ctx.Constants({-1})}, {}, nhwc::kAnySize);
}

Result<AttrMap> AttributesOf(LayerImport& ctx, const Recurrence& kind, std::int64_t hidden) {
  for (const std::string_view key : {"stateful", "return_state", "time_major"}) {
    if (ctx.Bool(key)) return Unsupported("{} is not read", key);
  }
  ATH_TRY(const std::string activation, GateActivation(ctx, "activation", "tanh"));
  std::vector<std::string> activations;
  if (kind.has_gate_activation) {
    ATH_TRY(const std::string gate, GateActivation(ctx, "recurrent_activation", "sigmoid"));
    activations.push_back(gate);
  }
  activations.push_back(activation);
  if (kind.op == "LSTM") activations.push_back(activation);
  AttrMap attributes = {{"hidden_size", hidden}, {"activations", activations}};
  if (kind.op == "GRU" && ctx.Bool("reset_after", true))
    attributes.Set("linear_before_reset", std::int64_t{1});
  return attributes;
}

// x: [batch, steps, depth] -> [batch, steps, hidden], or [batch, hidden] of the last step.
Status AddRecurrent(LayerImport& ctx, const Recurrence& kind) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  if (ctx.inputs.size() > 1) return Unsupported("initial states of a recurrent layer are not read");
  const std::int64_t hidden = ctx.Int("units", 0);
  if (hidden < 1 || hidden > 1 << 20) return InvalidModel("{} units", hidden);
  ATH_TRY(AttrMap attributes, AttributesOf(ctx, kind, hidden));
  if (ctx.weights.is_numbered()) ctx.weights = ctx.weights.Part("cell", "");
  ATH_TRY(const ValueId kernel, ctx.Weight(0, "kernel"));
  ATH_TRY(const ValueId recurrent, ctx.Weight(1, "recurrent_kernel"));
  const auto one_direction = [&](Result<ValueId> value) -> Result<ValueId> {
    ATH_TRY(const ValueId one, std::move(value));
    return ctx.Add("Unsqueeze", {one, ctx.Constants({0})}, {}, nhwc::kAnySize);
  };
  ATH_TRY(const ValueId w, one_direction(Gates(ctx, kind, kernel, hidden)));
  ATH_TRY(const ValueId r, one_direction(Gates(ctx, kind, recurrent, hidden)));
  ATH_TRY(const ValueId b, one_direction(Biases(ctx, kind, hidden)));
  ATH_TRY(ValueId x, ctx.Permuted(ctx.inputs[0], {1, 0, 2}));
  if (ctx.Bool("go_backwards")) {
    constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();
    ATH_TRY(x, ctx.Add("Slice", {x, ctx.Constants({kFarEnd}), ctx.Constants({-kFarEnd}),
                                 ctx.Constants({0}), ctx.Constants({-1})}));
  }
  const bool all = ctx.Bool("return_sequences");
  ATH_TRY(const std::vector<ValueId> results,
          ctx.AddMany(kind.op, {x, w, r, b}, std::move(attributes), 2));
  ATH_TRY(const ValueId y,
          ctx.Add("Squeeze", {results[all ? 0 : 1], ctx.Constants({all ? 1 : 0})}));
  return ctx.Give(ctx.Permuted(y, all ? Ints{1, 0, 2} : Ints{}));
}

Status Lstm(LayerImport& ctx) { return AddRecurrent(ctx, kLstm); }
Status Gru(LayerImport& ctx) { return AddRecurrent(ctx, kGru); }
Status SimpleRnn(LayerImport& ctx) { return AddRecurrent(ctx, kSimple); }

const Config* InnerLayer(const Config& config, std::string_view key) {
  const Config* layer = config.Find(key);
  return layer != nullptr && layer->kind == Config::Kind::kObject ? layer : nullptr;
}

std::string InnerName(const Config& layer) {
  const Config* config = layer.Find("config");
  const Config* name = config == nullptr ? nullptr : config->Find("name");
  return name == nullptr ? "" : name->text;
}

// A copy of a layer's object that runs the other way.
Config Reversed(const Config& layer) {
  Config reversed = layer;
  for (auto& [key, value] : reversed.members) {
    if (key != "config") continue;
    bool was_set = false;
    for (auto& [option, setting] : value.members) {
      if (option == "go_backwards") {
        setting.number = setting.number == 0 ? 1 : 0;
        was_set = true;
      }
    }
    if (!was_set)
      value.members.push_back({"go_backwards", {.kind = Config::Kind::kBool, .number = 1}});
  }
  return reversed;
}

Result<ValueId> Merged(LayerImport& ctx, ValueId forward, ValueId backward) {
  const std::string mode = ctx.Text("merge_mode", "");
  if (mode == "concat") return ctx.Add("Concat", {forward, backward}, {{"axis", std::int64_t{-1}}});
  if (mode == "mul") return ctx.Add("Mul", {forward, backward});
  if (mode != "sum" && mode != "ave") return Unsupported("merge_mode {} is not read", Quote(mode));
  ATH_TRY(const ValueId sum, ctx.Add("Add", {forward, backward}));
  return mode == "sum" ? Result<ValueId>(sum) : ctx.Add("Mul", {sum, ctx.Number(0.5)});
}

Status Bidirectional(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const Config* layer = InnerLayer(ctx.config, "layer");
  if (layer == nullptr) return InvalidModel("it has no layer");
  const Config* given = InnerLayer(ctx.config, "backward_layer");
  const Config backward_layer = given == nullptr ? Reversed(*layer) : *given;
  // Keras puts these words before the names of the two copies; saved backward layers have them
  // already.
  const std::string name = InnerName(*layer);
  const auto side = [&](std::string_view word) {
    return name.starts_with(word) ? name : fmt::format("{}_{}", word, name);
  };
  const std::string bare = name.starts_with("forward_") ? name.substr(8) : name;
  ATH_TRY(
      const auto forward,
      AddLayer(ctx, *layer, ctx.weights.Part("forward_layer", side("forward")), {ctx.inputs[0]}));
  ATH_TRY(const auto backward,
          AddLayer(ctx, backward_layer, ctx.weights.Part("backward_layer", "backward_" + bare),
                   {ctx.inputs[0]}));
  ValueId back = backward[0];
  if (ctx.TypeOf(back).HasRank() && ctx.TypeOf(back).rank() == 3) {
    constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();
    ATH_TRY(back, ctx.Add("Slice", {back, ctx.Constants({kFarEnd}), ctx.Constants({-kFarEnd}),
                                    ctx.Constants({1}), ctx.Constants({-1})}));
  }
  return ctx.Give(Merged(ctx, forward[0], back));
}

// The inner layer on all steps at once: steps become part of the batch.
Status TimeDistributed(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const Config* layer = InnerLayer(ctx.config, "layer");
  if (layer == nullptr) return InvalidModel("it has no layer");
  const ValueId x = ctx.inputs[0];
  const auto sizes = [&](ValueId value, std::int64_t start, std::int64_t end) {
    return ctx.Add("Shape", {value}, {{"start", start}, {"end", end}});
  };
  ATH_TRY(const std::int64_t rank, ctx.Rank(x));
  ATH_TRY(const ValueId steps, sizes(x, 0, 2));
  ATH_TRY(const ValueId rest, sizes(x, 2, rank));
  ATH_TRY(const ValueId flat,
          ctx.Add("Concat", {ctx.Constants({-1}), rest}, {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId all, ctx.Add("Reshape", {x, flat}));
  // Keras 2 leaves the inner layer's name out of its variables' names.
  Weights own = ctx.weights.Part("layer", InnerName(*layer));
  if (own.has_no_names()) own = ctx.weights;
  ATH_TRY(const auto inner, AddLayer(ctx, *layer, own, {all}));
  ATH_TRY(const std::int64_t inner_rank, ctx.Rank(inner[0]));
  ATH_TRY(const ValueId result, sizes(inner[0], 1, inner_rank));
  ATH_TRY(const ValueId shape, ctx.Add("Concat", {steps, result}, {{"axis", std::int64_t{0}}}));
  return ctx.Give(ctx.Add("Reshape", {inner[0], shape}));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> RecurrentRows() {
  return {
      {.layer = "Bidirectional", .make = Bidirectional},
      {.layer = "GRU", .make = Gru},
      {.layer = "LSTM", .make = Lstm},
      {.layer = "SimpleRNN", .make = SimpleRnn},
      {.layer = "TimeDistributed", .make = TimeDistributed},
  };
}
// clang-format on

}  // namespace athanor::keras
