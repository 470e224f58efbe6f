// LSTM, on real numbers and on integers. States are what the importer says: 0, or inputs.
#include <cmath>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

// The parts of the four gates (input, forget, cell, output in the file) one below the other in the
// order input, output, forget, cell.
Result<ValueId> Gates(OpImport& ctx, std::size_t first) {
  std::vector<ValueId> parts;
  for (const std::size_t gate : {0, 3, 1, 2}) {
    if (!ctx.Has(first + gate))
      return Unsupported("gate weights (input {}) are missing; LSTM with all four gates is read",
                         first + gate);
    ATH_TRY(const ValueId part, ctx.Real(first + gate));
    parts.push_back(part);
  }
  return ctx.Add("Concat", parts, {{"axis", std::int64_t{0}}});
}

Status CheckLstm(const OpImport& ctx, const schema::UnidirectionalSequenceLSTMOptions& options) {
  if (ctx.num_inputs() < 20) return InvalidModel("20 inputs or more are expected");
  for (std::size_t i = 9; i < ctx.num_inputs(); ++i) {
    const bool is_read = (i >= 12 && i <= 15) || i == 18 || i == 19;
    if (!is_read && ctx.Has(i))
      return Unsupported(
          "LSTM with peepholes, projection or layer normalisation is not read; "
          "input {} must be omitted",
          i);
  }
  if (ctx.Has(18) || ctx.Has(19))
    return Unsupported("LSTM with states from outside is not read; states must be variables");
  if (options.activation() != schema::Activation_TANH)
    return Unsupported("LSTM with activation {} is not read; TANH is",
                       schema::EnumNameActivation(options.activation()));
  if (options.proj_clip() != 0 || !(options.cell_clip() >= 0))
    return Unsupported("LSTM with limits {} of its cell and {} of its projection is not read",
                       options.cell_clip(), options.proj_clip());
  if (options.diagonal_recurrent_tensors())
    return Unsupported("LSTM with diagonal recurrence is not read");
  return {};
}

struct Lstm {
  ValueId x = kNoValue;                                 // [steps, batch, depth]
  ValueId w = kNoValue, r = kNoValue, bias = kNoValue;  // [4 * hidden, ...], gates as above
  std::int64_t hidden = 0;
  ValueId h = kNoValue, c = kNoValue;  // states: [batch, hidden]; kNoValue: 0
};

constexpr std::size_t kHiddenState = 18, kCellState = 19;

Status EndStates(OpImport& ctx, ValueId h, ValueId c) {
  ATH_RETURN_IF_ERROR(ctx.EndState(kHiddenState, h));
  return ctx.EndState(kCellState, c);
}

// The graph's own operator has a direction, and a second bias for the recurrence.
Result<ValueId> AddLstm(OpImport& ctx, const Lstm& lstm) {
  const auto one_direction = [&](ValueId value) {
    return ctx.Add("Unsqueeze", {value, ctx.Constants({0})});
  };
  ATH_TRY(const ValueId none, ctx.Add("Sub", {lstm.bias, lstm.bias}));
  ATH_TRY(const ValueId both, ctx.Add("Concat", {lstm.bias, none}, {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId w, one_direction(lstm.w));
  ATH_TRY(const ValueId r, one_direction(lstm.r));
  ATH_TRY(const ValueId b, one_direction(both));
  const AttrMap attributes = {{"hidden_size", lstm.hidden}};
  if (lstm.h == kNoValue) {
    ATH_TRY(const ValueId y, ctx.Add("LSTM", {lstm.x, w, r, b}, attributes));
    return ctx.Add("Squeeze", {y, ctx.Constants({1})});
  }
  ATH_TRY(const ValueId h, one_direction(lstm.h));
  ATH_TRY(const ValueId c, one_direction(lstm.c));
  ATH_TRY(const auto outputs,
          ctx.AddMany("LSTM", {lstm.x, w, r, b, kNoValue, h, c}, attributes, 3));
  ATH_TRY(const ValueId next_h, ctx.Add("Squeeze", {outputs[1], ctx.Constants({0})}));
  ATH_TRY(const ValueId next_c, ctx.Add("Squeeze", {outputs[2], ctx.Constants({0})}));
  ATH_RETURN_IF_ERROR(EndStates(ctx, next_h, next_c));
  return ctx.Add("Squeeze", {outputs[0], ctx.Constants({1})});
}

// One step of an LSTM whose cell stays within limits; the weights are captured.
Result<std::unique_ptr<Graph>> StepBody(const OpImport& ctx, const Lstm& lstm, float limit) {
  auto body = std::make_unique<Graph>(ctx.graph.catalog(), "step");
  const Type& x_type = ctx.graph.value(lstm.x).type;
  const Dim batch = x_type.dim(1);
  const Type state = Type::Tensor(DType::kF32, {batch, lstm.hidden});
  const ValueId h = body->AddInput("h", state), c = body->AddInput("c", state);
  const ValueId x = body->AddInput("x", Type::Tensor(DType::kF32, {batch, x_type.dim(2)}));
  const ValueId w = body->AddInput("w", ctx.graph.value(lstm.w).type);
  const ValueId r = body->AddInput("r", ctx.graph.value(lstm.r).type);
  const ValueId bias = body->AddInput("bias", ctx.graph.value(lstm.bias).type);
  const AttrMap transposed = {{"transB", std::int64_t{1}}};
  ATH_TRY(const ValueId from_x, body->Add("Gemm", {x, w, bias}, transposed));
  ATH_TRY(const ValueId from_h, body->Add("Gemm", {h, r}, transposed));
  ATH_TRY(const ValueId sum, body->Add("Add", {from_x, from_h}));
  ATH_TRY(
      const NodeId split,
      body->AddNode({.op = "Split",
                     .inputs = {sum},
                     .attributes = {{"axis", std::int64_t{1}}, {"num_outputs", std::int64_t{4}}},
                     .num_outputs = 4}));
  const std::vector<ValueId> gates = body->node(split).outputs;
  ATH_TRY(const ValueId in, body->Add("Sigmoid", {gates[0]}));
  ATH_TRY(const ValueId out, body->Add("Sigmoid", {gates[1]}));
  ATH_TRY(const ValueId forget, body->Add("Sigmoid", {gates[2]}));
  ATH_TRY(const ValueId candidate, body->Add("Tanh", {gates[3]}));
  ATH_TRY(const ValueId kept, body->Add("Mul", {forget, c}));
  ATH_TRY(const ValueId added, body->Add("Mul", {in, candidate}));
  ATH_TRY(const ValueId cell, body->Add("Add", {kept, added}));
  const ValueId low = body->AddConstant(Tensor::Scalar(-limit));
  const ValueId high = body->AddConstant(Tensor::Scalar(limit));
  ATH_TRY(const ValueId next_c, body->Add("Clip", {cell, low, high}));
  ATH_TRY(const ValueId shown, body->Add("Tanh", {next_c}));
  ATH_TRY(const ValueId next_h, body->Add("Mul", {out, shown}));
  body->AddOutput("h", next_h);
  body->AddOutput("c", next_c);
  body->AddOutput("y", next_h);
  return body;
}

Result<ValueId> AddLimitedLstm(OpImport& ctx, const Lstm& lstm, float limit) {
  ATH_TRY(const ValueId batch,
          ctx.Add("Shape", {lstm.x}, {{"start", std::int64_t{1}}, {"end", std::int64_t{2}}}));
  ATH_TRY(const ValueId shape,
          ctx.Add("Concat", {batch, ctx.Constants({lstm.hidden})}, {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId zeros, ctx.Add("ConstantOfShape", {shape}));
  ATH_TRY(std::unique_ptr<Graph> body, StepBody(ctx, lstm, limit));
  Graph::NewNode scan = {
      .op = "Scan",
      .inputs = {lstm.h == kNoValue ? zeros : lstm.h, lstm.c == kNoValue ? zeros : lstm.c, lstm.x,
                 lstm.w, lstm.r, lstm.bias},
      .attributes = {{"num_scan_inputs", std::int64_t{1}}},
      .num_outputs = 3,
      .captures = 3};
  scan.bodies.push_back(std::move(body));
  ATH_TRY(const NodeId node, ctx.graph.AddNode(std::move(scan)));
  const std::vector<ValueId> outputs = ctx.graph.node(node).outputs;
  if (lstm.h != kNoValue) ATH_RETURN_IF_ERROR(EndStates(ctx, outputs[0], outputs[1]));
  return outputs[2];
}

// Weights or biases of the four gates as they stand, like Gates; their scales, where wanted.
Result<ValueId> StoredGates(OpImport& ctx, std::size_t first, std::vector<float>* scales) {
  std::vector<ValueId> parts;
  for (const std::size_t gate : {0, 3, 1, 2}) {
    if (!ctx.Has(first + gate))
      return Unsupported("gate weights (input {}) are missing; LSTM with all four gates is read",
                         first + gate);
    parts.push_back(ctx.Stored(first + gate));
    if (scales == nullptr) continue;
    const Quantization& quantization = ctx.In(first + gate).quantization;
    if (quantization.scales.size() != 1 || quantization.zero_points[0] != 0)
      return Unsupported("quantised LSTM is read with one scale per weight and zero point 0");
    scales->push_back(quantization.scales[0]);
  }
  return ctx.Add("Concat", parts, {{"axis", std::int64_t{0}}});
}

// i8 between layers, i16 in the cell, as TFLite's converter writes it.
Result<ValueId> AddIntegerLstm(OpImport& ctx, ValueId x, float limit) {
  if (!ctx.IsVariable(kHiddenState) || !ctx.IsVariable(kCellState))
    return Unsupported("its states are no variables");
  const Quantization &of_x = ctx.In(0).quantization, &of_h = ctx.In(kHiddenState).quantization;
  const Quantization& of_c = ctx.In(kCellState).quantization;
  const TensorInfo* rounded = ctx.Intermediate(4);
  const Quantization& of_hidden = rounded == nullptr || !rounded->quantization
                                      ? ctx.Out(0).quantization
                                      : rounded->quantization;
  for (const Quantization* of : {&of_x, &of_h, &of_c, &of_hidden}) {
    if (of->scales.size() != 1) return Unsupported("quantised LSTM is read with one scale each");
  }
  int power = 0;
  if (std::frexp(of_c.scales[0], &power) != 0.5F)
    return Unsupported("the scale of the cell is {}; a power of two is read", of_c.scales[0]);
  const auto recurrent = ctx.Has(5) ? ctx.InType(5).StaticDims() : std::nullopt;
  const auto data = ctx.graph.value(x).type.StaticDims();
  if (!recurrent || recurrent->size() != 2 || !data)
    return Unsupported("quantised LSTM is read with known sizes");
  const Dims state = {(*data)[1], (*recurrent)[1]};
  std::vector<float> w_scales, r_scales;
  ATH_TRY(const ValueId w, StoredGates(ctx, 1, &w_scales));
  ATH_TRY(const ValueId r, StoredGates(ctx, 5, &r_scales));
  ATH_TRY(const ValueId bias, StoredGates(ctx, 12, nullptr));
  ATH_TRY(const ValueId h, ctx.BeginState(kHiddenState, DType::kI8, state));
  ATH_TRY(const ValueId c, ctx.BeginState(kCellState, DType::kI16, state));
  const AttrMap attributes = {{"x_scale", of_x.scales[0]},
                              {"x_zero", of_x.zero_points[0]},
                              {"h_scale", of_h.scales[0]},
                              {"h_zero", of_h.zero_points[0]},
                              {"hidden_scale", of_hidden.scales[0]},
                              {"hidden_zero", of_hidden.zero_points[0]},
                              {"cell_power", std::int64_t{power - 1}},
                              {"w_scales", w_scales},
                              {"r_scales", r_scales},
                              {"cell_clip", limit}};
  ATH_TRY(const auto outputs, ctx.AddMany("IntegerLSTM", {x, w, r, bias, h, c}, attributes, 3));
  ATH_RETURN_IF_ERROR(EndStates(ctx, outputs[1], outputs[2]));
  return outputs[0];
}

Status UnidirectionalSequenceLstm(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const auto* options = ctx.op.builtin_options_as<schema::UnidirectionalSequenceLSTMOptions>();
  if (options == nullptr) return InvalidModel("its options are missing");
  ATH_RETURN_IF_ERROR(CheckLstm(ctx, *options));
  const Type& data = ctx.InType(0);
  if (!data.HasRank() || data.rank() != 3)
    return InvalidModel("the data are {}; rank 3 is expected", data.ToString());
  const Ints time_first = options->time_major() ? Ints{} : Ints{1, 0, 2};
  if (ctx.In(0).quantization) {
    ATH_TRY(const ValueId x, ctx.Permuted(ctx.Stored(0), time_first));
    ATH_TRY(const ValueId y, AddIntegerLstm(ctx, x, options->cell_clip()));
    return ctx.GiveStored(ctx.Permuted(y, time_first));
  }
  Lstm lstm;
  ATH_TRY(lstm.x, ctx.Real(0, time_first));
  ATH_TRY(lstm.w, Gates(ctx, 1));
  ATH_TRY(lstm.r, Gates(ctx, 5));
  ATH_TRY(lstm.bias, Gates(ctx, 12));
  const Type& recurrent = ctx.InType(5);
  if (!recurrent.HasRank() || recurrent.rank() != 2 || !recurrent.dim(0).IsConst())
    return InvalidModel("recurrent weights are {}; two known sizes are expected",
                        recurrent.ToString());
  lstm.hidden = recurrent.dim(0).value();
  const Dim& batch = ctx.graph.value(lstm.x).type.dim(1);
  const bool keeps = ctx.states->AreInputs() && ctx.IsVariable(kHiddenState);
  if (keeps && !batch.IsConst()) return Unsupported("states of an open batch are no inputs");
  if (keeps) {
    const Dims state = {batch.value(), lstm.hidden};
    ATH_TRY(lstm.h, ctx.BeginState(kHiddenState, DType::kF32, state));
    ATH_TRY(lstm.c, ctx.BeginState(kCellState, DType::kF32, state));
  }
  // A step adds at most 1 to the cell, so short sequences cannot reach the limit.
  const Dim& steps = ctx.graph.value(lstm.x).type.dim(0);
  const float limit = options->cell_clip();
  const bool is_limited =
      limit > 0 && !(!keeps && steps.IsConst() && static_cast<float>(steps.value()) <= limit);
  ATH_TRY(const ValueId y, is_limited ? AddLimitedLstm(ctx, lstm, limit) : AddLstm(ctx, lstm));
  return ctx.GiveStored(ctx.Permuted(y, time_first));
}

}  // namespace

std::vector<Row> RecurrentRows() {
  return {
      {.code = schema::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM,
       .make = UnidirectionalSequenceLstm},
  };
}

}  // namespace athanor::tflite
