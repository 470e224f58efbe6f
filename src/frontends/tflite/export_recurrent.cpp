// Recurrent layers: an LSTM that starts from nothing as TFLite's own; others step by step.
#include <algorithm>

#include "frontends/tflite/op_export.h"

namespace athanor::tflite {
namespace {

using Code = schema::BuiltinOperator;

enum RecurrentInput : std::size_t { kX, kW, kR, kB, kLengths, kHidden, kCell, kPeephole };

// One direction's numbers: rows of gates, below each other.
struct Direction {
  bool backwards = false;
  std::vector<float> w = {}, r = {}, wb = {}, rb = {};
};

struct Layer {
  std::int64_t gates = 0, hidden = 0, depth = 0;
  std::vector<Direction> directions = {};
  TensorIndex x = kNoTensor;  // [steps, batch, depth]
};

Result<Layer> ReadLayer(OpExport& ctx, std::int64_t gates, std::string_view usual) {
  for (const std::size_t i : {kLengths, kPeephole}) {
    if (ctx.Has(i)) return Unsupported("input {} (lengths or peepholes) is not written", i);
  }
  if (ctx.Attribute<std::vector<float>>("activation_alpha", {}).size() > 0 ||
      ctx.Float("clip", 0) != 0 || ctx.Int("input_forget", 0) != 0)
    return Unsupported("limits and joined gates are not written");
  std::string activations;
  for (const std::string& name : ctx.Attribute<std::vector<std::string>>("activations", {}))
    activations += name + " ";
  const std::string wanted(usual);
  if (!activations.empty() && activations != wanted && activations != wanted + wanted)
    return Unsupported("activations {}are not written; {}are", activations, wanted);
  const std::optional<Dims> w = ctx.InType(kW).StaticDims();
  if (!w) return Unsupported("the sizes of the weights must be known");
  Layer layer = {.gates = gates, .hidden = (*w)[1] / gates, .depth = (*w)[2]};
  const auto direction = ctx.Attribute<std::string>("direction", "forward");
  const auto rows = static_cast<std::size_t>((*w)[1]);
  for (std::int64_t d = 0; d < (*w)[0]; ++d) {
    Direction one = {.backwards = direction == "reverse" || d == 1};
    const auto part = [&](std::size_t i, std::size_t at, std::size_t count) {
      const Tensor tensor = *ctx.file.ConstantOf(ctx.node.inputs[i]);
      const auto data = tensor.Data<float>().subspan(at, count);
      return std::vector<float>(data.begin(), data.end());
    };
    for (const std::size_t i : {kW, kR, kB}) {
      if (ctx.Has(i) &&
          (!ctx.file.ConstantOf(ctx.node.inputs[i]) || ctx.InType(i).dtype != DType::kF32))
        return Unsupported("weights must be constants of f32");
    }
    const auto at = static_cast<std::size_t>(d);
    const std::size_t w_count = rows * static_cast<std::size_t>(layer.depth);
    const std::size_t r_count = rows * static_cast<std::size_t>(layer.hidden);
    one.w = part(kW, at * w_count, w_count);
    one.r = part(kR, at * r_count, r_count);
    one.wb = ctx.Has(kB) ? part(kB, at * 2 * rows, rows) : std::vector<float>(rows);
    one.rb = ctx.Has(kB) ? part(kB, (at * 2 + 1) * rows, rows) : std::vector<float>(rows);
    layer.directions.push_back(std::move(one));
  }
  layer.x = ctx.In(kX);
  if (ctx.Int("layout", 0) != 0) layer.x = ctx.file.Permuted(layer.x, {1, 0, 2});
  return layer;
}

// The states after each step [steps, batch, hidden] and after the last [batch, hidden].
struct States {
  TensorIndex all = kNoTensor, last = kNoTensor, cell = kNoTensor;
};

TensorIndex Rows(OpExport& ctx, const std::vector<float>& numbers, std::int64_t first,
                 std::int64_t count, std::int64_t width) {
  const auto begin = numbers.begin() + first * width;
  const std::vector<float> part(begin, begin + count * width);
  return ctx.Floats(width == 1 ? Dims{count} : Dims{count, width}, part);
}

// UNIDIRECTIONAL_SEQUENCE_LSTM keeps its states in variables, of a batch that is known.
States WholeLstm(OpExport& ctx, const Layer& layer, const Direction& one) {
  const Type x_type = ctx.file.TypeOf(layer.x);
  const std::int64_t n = layer.hidden;
  TensorIndex x = layer.x;
  const auto reversed = [&ctx](TensorIndex tensor) {
    return ctx.MakeLike(tensor, schema::BuiltinOperator_REVERSE_V2,
                        {tensor, ctx.IntsConstant({0})});
  };
  if (one.backwards) x = reversed(x);
  std::vector<TensorIndex> inputs(20, kNoTensor);
  inputs[0] = x;
  // Gates stand in the order input, output, forget, cell; in TFLite input, forget, cell, output.
  constexpr std::int64_t kGates[] = {0, 2, 3, 1};
  std::vector<float> bias = one.wb;
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] += one.rb[i];
  for (std::size_t gate = 0; gate < 4; ++gate) {
    inputs[1 + gate] = Rows(ctx, one.w, kGates[gate] * n, n, layer.depth);
    inputs[5 + gate] = Rows(ctx, one.r, kGates[gate] * n, n, n);
    inputs[12 + gate] = Rows(ctx, bias, kGates[gate] * n, n, 1);
  }
  const Type state = Type::Tensor(DType::kF32, {x_type.dim(1), Dim(n)});
  inputs[18] = ctx.file.Variable(ctx.node.name + "/hidden", state);
  inputs[19] = ctx.file.Variable(ctx.node.name + "/cell", state);
  schema::UnidirectionalSequenceLSTMOptionsT options;
  options.activation = schema::Activation_TANH;
  options.time_major = true;
  Type type = x_type;
  type.shape->back() = Dim(n);
  States states;
  states.all =
      ctx.Make(schema::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, type, With(options));
  schema::StridedSliceOptionsT last;
  last.end_mask = 7;
  last.begin_mask = 6;
  last.shrink_axis_mask = 1;
  states.last = ctx.Make(schema::BuiltinOperator_STRIDED_SLICE,
                         {states.all, ctx.IntsConstant({-1, 0, 0}), ctx.IntsConstant({0, 0, 0}),
                          ctx.IntsConstant({1, 1, 1})},
                         state, With(last));
  if (one.backwards) states.all = reversed(states.all);
  return states;
}

std::vector<TensorIndex> Parts(OpExport& ctx, TensorIndex gates, std::int64_t count) {
  Type type = ctx.file.TypeOf(gates);
  type.shape->back() = Dim(type.shape->back().value() / count);
  std::vector<TensorIndex> parts;
  for (std::int64_t i = 0; i < count; ++i)
    parts.push_back(ctx.file.AddTensor(ctx.node.name + "/gate", type));
  schema::SplitOptionsT options;
  options.num_splits = static_cast<std::int32_t>(count);
  ctx.file.AddOperator(schema::BuiltinOperator_SPLIT, {ctx.IntConstant(1), gates}, parts,
                       With(options));
  return parts;
}

// Weights that every step multiplies the state with.
struct Recurrence {
  TensorIndex r = kNoTensor, bias = kNoTensor;
  TensorIndex candidate_r = kNoTensor, candidate_bias = kNoTensor;  // of a GRU's last gate alone
};

TensorIndex Product(OpExport& ctx, TensorIndex x, TensorIndex w, TensorIndex bias) {
  Type type = ctx.file.TypeOf(x);
  type.shape->back() = ctx.file.TypeOf(w).dim(0);
  schema::FullyConnectedOptionsT options;
  options.keep_num_dims = type.rank() > 2;
  return ctx.Make(schema::BuiltinOperator_FULLY_CONNECTED, {x, w, bias}, type, With(options));
}

TensorIndex Gate(OpExport& ctx, Code code, TensorIndex x) { return ctx.MakeLike(x, code, {x}); }

using StepFunction = void (*)(OpExport&, const Recurrence&, TensorIndex x, States& states);

void LstmStep(OpExport& ctx, const Recurrence& w, TensorIndex x, States& states) {
  const TensorIndex sum = ctx.Binary(kAddOp, x, Product(ctx, states.last, w.r, w.bias));
  const std::vector<TensorIndex> gates = Parts(ctx, sum, 4);
  const auto of = [&ctx](Code code, TensorIndex v) { return Gate(ctx, code, v); };
  const TensorIndex kept = ctx.Binary(kMulOp, of(kLogisticOp, gates[2]), states.cell);
  const TensorIndex added = ctx.Binary(kMulOp, of(kLogisticOp, gates[0]), of(kTanhOp, gates[3]));
  states.cell = ctx.Binary(kAddOp, kept, added);
  states.last = ctx.Binary(kMulOp, of(kLogisticOp, gates[1]), of(kTanhOp, states.cell));
}

void GruStep(OpExport& ctx, const Recurrence& w, TensorIndex x, States& states) {
  const auto of = [&ctx](Code code, TensorIndex v) { return Gate(ctx, code, v); };
  const std::vector<TensorIndex> from_x = Parts(ctx, x, 3);
  const TensorIndex product = Product(ctx, states.last, w.r, w.bias);
  const bool before = w.candidate_r != kNoTensor;  // the reset gate, before the product
  const std::vector<TensorIndex> from_h = Parts(ctx, product, before ? 2 : 3);
  const TensorIndex update = of(kLogisticOp, ctx.Binary(kAddOp, from_x[0], from_h[0]));
  const TensorIndex reset = of(kLogisticOp, ctx.Binary(kAddOp, from_x[1], from_h[1]));
  const TensorIndex state =
      before ? Product(ctx, ctx.Binary(kMulOp, reset, states.last), w.candidate_r, w.candidate_bias)
             : ctx.Binary(kMulOp, reset, from_h[2]);
  const TensorIndex candidate = of(kTanhOp, ctx.Binary(kAddOp, from_x[2], state));
  // candidate + update (h - candidate)
  const TensorIndex change = ctx.Binary(schema::BuiltinOperator_SUB, states.last, candidate);
  states.last = ctx.Binary(kAddOp, candidate, ctx.Binary(kMulOp, update, change));
}

void RnnStep(OpExport& ctx, const Recurrence& w, TensorIndex x, States& states) {
  const TensorIndex sum = ctx.Binary(kAddOp, x, Product(ctx, states.last, w.r, w.bias));
  states.last = Gate(ctx, kTanhOp, sum);
}

// The state that direction `d` begins with: 0 for every batch where none is given.
TensorIndex FirstState(OpExport& ctx, std::size_t i, const Layer& layer, std::int64_t d) {
  if (!ctx.Has(i))
    return ctx.Floats({1, layer.hidden},
                      std::vector<float>(static_cast<std::size_t>(layer.hidden)));
  const std::int64_t axis = ctx.Int("layout", 0) == 0 ? 0 : 1;
  Type type = ctx.InType(i);
  type.shape->erase(type.shape->begin() + axis);
  schema::GatherOptionsT options;
  options.axis = static_cast<std::int32_t>(axis);
  return ctx.Make(schema::BuiltinOperator_GATHER, {ctx.In(i), ctx.IntConstant(d)}, type,
                  With(options));
}

Recurrence RecurrenceOf(OpExport& ctx, const Layer& layer, const Direction& one) {
  const std::int64_t n = layer.hidden;
  const bool split = layer.gates == 3 && ctx.Int("linear_before_reset", 0) == 0;
  const std::int64_t rows = (split ? 2 : layer.gates) * n;
  Recurrence w = {Rows(ctx, one.r, 0, rows, n), Rows(ctx, one.rb, 0, rows, 1)};
  if (split) {
    w.candidate_r = Rows(ctx, one.r, rows, n, n);
    w.candidate_bias = Rows(ctx, one.rb, rows, n, 1);
  }
  return w;
}

Result<States> Unrolled(OpExport& ctx, const Layer& layer, std::int64_t d, StepFunction step) {
  const Direction& one = layer.directions[static_cast<std::size_t>(d)];
  const Type type = ctx.file.TypeOf(layer.x);
  constexpr std::int64_t kMost = 512;
  if (!type.dim(0).IsConst() || type.dim(0).value() < 1 || type.dim(0).value() > kMost)
    return Unsupported("its steps are written one by one, 1 to {} of them, not {}", kMost,
                       type.dim(0).ToString())
        .Fix(
            "--set-dim NAME=N gives the sequence a length; an LSTM without states of its own "
            "needs a batch of known size only");
  const std::int64_t steps = type.dim(0).value(), rows = layer.gates * layer.hidden;
  const TensorIndex products =
      Product(ctx, layer.x, Rows(ctx, one.w, 0, rows, layer.depth), Rows(ctx, one.wb, 0, rows, 1));
  std::vector<TensorIndex> inputs;
  const Type row = Type::Tensor(DType::kF32, {type.dim(1), Dim(rows)});
  for (std::int64_t t = 0; t < steps; ++t)
    inputs.push_back(ctx.file.AddTensor(ctx.node.name + "/step", row));
  schema::UnpackOptionsT unpack;
  unpack.num = static_cast<std::int32_t>(steps);
  ctx.file.AddOperator(schema::BuiltinOperator_UNPACK, {products}, inputs, With(unpack));
  const Recurrence w = RecurrenceOf(ctx, layer, one);
  States states;
  states.last = FirstState(ctx, kHidden, layer, d);
  if (layer.gates == 4) states.cell = FirstState(ctx, kCell, layer, d);
  std::vector<TensorIndex> all(inputs.size());
  for (std::size_t t = 0; t < inputs.size(); ++t) {
    const std::size_t at = one.backwards ? inputs.size() - 1 - t : t;
    step(ctx, w, inputs[at], states);
    all[at] = states.last;
  }
  schema::PackOptionsT pack;
  pack.values_count = static_cast<std::int32_t>(steps);
  states.all =
      ctx.Make(schema::BuiltinOperator_PACK, all,
               Type::Tensor(DType::kF32, {Dim(steps), type.dim(1), Dim(layer.hidden)}), With(pack));
  return states;
}

// The directions side by side: a new axis.
Status GiveSides(OpExport& ctx, std::size_t o, const std::vector<TensorIndex>& sides,
                 std::int64_t axis, const Ints& perm) {
  if (o >= ctx.results.size() || ctx.results[o] == kNoValue) return {};
  Type type = ctx.file.TypeOf(sides[0]);
  type.shape->insert(type.shape->begin() + axis, Dim(static_cast<std::int64_t>(sides.size())));
  schema::PackOptionsT options;
  options.values_count = static_cast<std::int32_t>(sides.size());
  options.axis = static_cast<std::int32_t>(axis);
  TensorIndex packed = ctx.Make(schema::BuiltinOperator_PACK, sides, type, With(options));
  if (ctx.Int("layout", 0) != 0) packed = ctx.file.Permuted(packed, perm);
  ctx.file.Hold(ctx.results[o], Axes::kPlain, packed);
  return {};
}

std::function<Status(OpExport&)> WriteRecurrent(std::int64_t gates, std::string_view usual,
                                                StepFunction step) {
  return [=](OpExport& ctx) -> Status {
    ATH_TRY(const Layer layer, ReadLayer(ctx, gates, usual));
    const bool whole = gates == 4 && !ctx.Has(kHidden) && !ctx.Has(kCell) &&
                       (ctx.results.size() < 3 || ctx.results[2] == kNoValue) &&
                       ctx.file.TypeOf(layer.x).dim(1).IsConst();
    std::vector<TensorIndex> all, last, cells;
    for (std::size_t d = 0; d < layer.directions.size(); ++d) {
      States states;
      if (whole) {
        states = WholeLstm(ctx, layer, layer.directions[d]);
      } else {
        ATH_TRY(states, Unrolled(ctx, layer, static_cast<std::int64_t>(d), step));
      }
      all.push_back(states.all);
      last.push_back(states.last);
      cells.push_back(states.cell);
    }
    ATH_RETURN_IF_ERROR(GiveSides(ctx, 0, all, 1, {2, 0, 1, 3}));
    ATH_RETURN_IF_ERROR(GiveSides(ctx, 1, last, 0, {1, 0, 2}));
    return GiveSides(ctx, 2, cells, 0, {1, 0, 2});
  };
}

}  // namespace

std::vector<ExportRow> RecurrentExportRows() {
  return {
      {"GRU", WriteRecurrent(3, "Sigmoid Tanh ", GruStep)},
      {"LSTM", WriteRecurrent(4, "Sigmoid Tanh Tanh ", LstmStep)},
      {"RNN", WriteRecurrent(1, "Tanh ", RnnStep)},
  };
}

}  // namespace athanor::tflite
