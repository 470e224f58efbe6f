// Shapes, indexing, data movement, control flow, sequences, strings. One row per operator and
// change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {
namespace {

// Older forms carry as an attribute what is an input now: moves it to input `at`. Inputs in between
// are omitted ones.
std::function<Status(NodeImport&)> IntsToInput(std::string_view ir, std::string_view attribute,
                                               std::size_t at) {
  return [=](NodeImport& ctx) -> Status {
    const OpDef* op = ctx.graph.catalog().Find(ir);
    const std::string_view moved[] = {attribute};
    ATH_TRY(AttrMap attributes, ctx.Attributes(*op, moved));
    if (ctx.inputs.size() > at)
      return InvalidModel("{} inputs are given; up to {} are expected in operator set {}",
                          ctx.inputs.size(), at, ctx.opset);
    if (const auto values = ctx.Ints(attribute)) {
      ctx.inputs.resize(at, kNoValue);
      ctx.inputs.push_back(ctx.ConstantInts(*values));
    }
    return ctx.AddSame(ir, std::move(attributes));
  };
}

Status OldConcat(NodeImport& ctx) { return ctx.AddSame("Concat", {{"axis", ctx.Int("axis", 1)}}); }

template <class T>
Tensor List(const std::vector<T>& values) {
  return Tensor::FromVector<T>({static_cast<std::int64_t>(values.size())}, values);
}

std::string Text(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<Tensor> ConstantValue(const NodeImport& ctx) {
  if (ctx.node.attribute.size() != 1)
    return InvalidModel("{} attributes are given; exactly one value is expected",
                        ctx.node.attribute.size());
  const AttributeProto& value = ctx.node.attribute[0];
  if (value.name == "value" && value.t) return ReadTensor(*value.t, ctx.source());
  if (value.name == "sparse_value" && value.sparse_tensor)
    return ReadSparseTensor(*value.sparse_tensor, ctx.source());
  if (value.name == "value_float") return Tensor::Scalar(value.f.value_or(0));
  if (value.name == "value_int") return Tensor::Scalar(value.i.value_or(0));
  if (value.name == "value_string") return Tensor::Scalar(value.s ? Text(*value.s) : "");
  if (value.name == "value_floats") return List(value.floats);
  if (value.name == "value_ints") return List(value.ints);
  if (value.name == "value_strings") {
    std::vector<std::string> texts;
    for (const Bytes& bytes : value.strings) texts.push_back(Text(bytes));
    return List(texts);
  }
  return InvalidModel("attribute \"{}\" is not a constant's value", value.name);
}

Status Constant(NodeImport& ctx) {
  ATH_TRY(Tensor value, ConstantValue(ctx));
  const std::string name = ctx.node.output.empty() ? "" : ctx.node.output[0];
  ctx.outputs = {ctx.graph.AddConstant(std::move(value), name)};
  return {};
}

// Operator set 2: pads and the value are attributes; the data are floating point.
Status OldPad(NodeImport& ctx) {
  const auto pads = ctx.Ints("pads");
  if (!pads) return InvalidModel("attribute \"pads\" is missing");
  if (ctx.num_inputs() != 1)
    return InvalidModel("1 input is expected in operator set {}", ctx.opset);
  std::vector<ValueId> inputs = {ctx.In(0), ctx.ConstantInts(*pads)};
  const float value = ctx.Float("value", 0);
  ATH_RETURN_IF_ERROR(Dispatch(FloatTypes{}, ctx.InType(0).dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    inputs.push_back(ctx.Constant(Tensor::Scalar(static_cast<T>(value))));
    return {};
  }));
  ctx.inputs = std::move(inputs);
  return ctx.AddSame("Pad", {{"mode", ctx.String("mode", "constant")}});
}

// Operator set 1: all bounds are attributes.
Status OldSlice(NodeImport& ctx) {
  const auto starts = ctx.Ints("starts"), ends = ctx.Ints("ends"), axes = ctx.Ints("axes");
  if (!starts || !ends) return InvalidModel("attributes \"starts\" and \"ends\" are needed");
  if (ctx.num_inputs() != 1)
    return InvalidModel("1 input is expected in operator set {}", ctx.opset);
  ctx.inputs.push_back(ctx.ConstantInts(*starts));
  ctx.inputs.push_back(ctx.ConstantInts(*ends));
  if (axes) ctx.inputs.push_back(ctx.ConstantInts(*axes));
  return ctx.AddSame("Slice", {});
}

// Operator set 1: `tiles` repeats along the one axis `axis`, both inputs.
Status OldTile(NodeImport& ctx) {
  const Tensor* axis = ctx.Has(2) ? ctx.graph.Constant(ctx.In(2)) : nullptr;
  if (axis == nullptr || axis->count() != 1 || !ctx.InType(0).HasRank())
    return Unsupported("a Tile of operator set 1 needs a constant axis and an input of known rank");
  ATH_TRY(const std::vector<std::int64_t> at, ToInts(*axis));
  const std::int64_t rank = ctx.InType(0).rank();
  if (at[0] < 0 || at[0] >= rank) return InvalidModel("axis {} is outside [0, {})", at[0], rank);
  const std::vector<std::int64_t> before(static_cast<std::size_t>(at[0]), 1);
  const std::vector<std::int64_t> after(static_cast<std::size_t>(rank - 1 - at[0]), 1);
  ATH_TRY(const ValueId tiles, ctx.Add("Reshape", {ctx.In(1), ctx.ConstantInts({1})}));
  ATH_TRY(const ValueId all,
          ctx.Add("Concat", {ctx.ConstantInts(before), tiles, ctx.ConstantInts(after)},
                  {{"axis", std::int64_t{0}}}));
  return ctx.Give(ctx.Add("Tile", {ctx.In(0), all}));
}

// The trip count and the condition are inputs even where the file leaves both out.
Status Loop(NodeImport& ctx) {
  const OpDef* op = ctx.graph.catalog().Find("Loop");
  ATH_TRY(AttrMap attributes, ctx.Attributes(*op));
  if (ctx.inputs.size() < 2) ctx.inputs.resize(2, kNoValue);
  return ctx.AddSame("Loop", std::move(attributes));
}

Type WithoutBatch(Type type) {
  if (type.HasRank() && type.rank() > 0) type.shape->erase(type.shape->begin());
  return type;
}

// Operator set 8 scans each sample of a batch on its own: a scan over the batch (axis 0 of every
// input) whose body is the scan that the node means.
Status OldScan(NodeImport& ctx) {
  if (ctx.Has(0))
    return Unsupported(
        "sequence_lens of a Scan of operator set 8 is not implemented; leave it out "
        "and scan sequences of one length");
  if (ctx.inputs.size() < 2) return InvalidModel("a Scan of operator set 8 has 2 or more inputs");
  const std::vector<ValueId> own(ctx.inputs.begin() + 1, ctx.inputs.end());
  AttrMap inner = {{"num_scan_inputs", ctx.Int("num_scan_inputs", 0)}};
  if (const auto directions = ctx.Ints("directions"))
    inner.Set("scan_input_directions", *directions);
  auto sample = std::make_unique<Graph>(ctx.graph.catalog(), "sample");
  std::vector<ValueId> inputs;
  for (const ValueId input : own) {
    if (input == kNoValue) return InvalidModel("an initial state or a scanned input is omitted");
    const Value& value = ctx.graph.value(input);
    inputs.push_back(sample->AddInput(value.name, WithoutBatch(value.type)));
  }
  for (const ValueId capture : ctx.captures) {
    const Value& value = ctx.graph.value(capture);
    inputs.push_back(sample->AddInput(value.name, value.type, value.ints));
  }
  const std::size_t num_outputs = ctx.bodies[0]->outputs().size();
  ATH_TRY(const NodeId scan, sample->AddNode({.op = "Scan",
                                              .inputs = std::move(inputs),
                                              .attributes = std::move(inner),
                                              .num_outputs = num_outputs,
                                              .bodies = std::move(ctx.bodies),
                                              .captures = static_cast<int>(ctx.captures.size()),
                                              .name = ctx.node.name}));
  for (const ValueId output : sample->node(scan).outputs) sample->AddOutput("", output);
  ctx.bodies.clear();
  ctx.bodies.push_back(std::move(sample));
  ctx.inputs = own;
  return ctx.AddSame("Scan", {{"num_scan_inputs", static_cast<std::int64_t>(own.size())}});
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> TensorRows() {
  return {
      {.onnx = "Bernoulli", .since = 15, .make = Same()},
      {.onnx = "CenterCropPad", .since = 18, .make = Same()},
      {.onnx = "Compress", .since = 9, .make = Same()},
      {.onnx = "Concat", .since = 1, .make = OldConcat},
      {.onnx = "Concat", .since = 4, .make = Same()},
      {.onnx = "ConcatFromSequence", .since = 11, .make = Same()},
      {.onnx = "Constant", .since = 1, .make = Constant},
      {.onnx = "ConstantOfShape", .since = 9, .make = Same()},
      {.onnx = "DepthToSpace", .since = 1, .make = Same()},
      {.onnx = "Expand", .since = 8, .make = Same()},
      {.onnx = "EyeLike", .since = 9, .make = Same()},
      {.onnx = "Flatten", .since = 1, .make = Same()},
      {.onnx = "Gather", .since = 1, .make = Same()},
      {.onnx = "GatherElements", .since = 11, .make = Same()},
      {.onnx = "GatherND", .since = 11, .make = Same()},
      {.onnx = "Identity", .since = 1, .make = Same()},
      {.onnx = "If", .since = 1, .make = Same()},
      {.onnx = "ImageDecoder", .since = 20, .make = Same()},
      {.onnx = "Loop", .since = 1, .make = Loop},
      {.onnx = "Multinomial", .since = 7, .make = Same()},
      {.onnx = "NonZero", .since = 9, .make = Same()},
      {.onnx = "OneHot", .since = 9, .make = Same()},
      {.onnx = "Optional", .since = 15, .make = Same()},
      {.onnx = "OptionalGetElement", .since = 15, .make = Same()},
      {.onnx = "OptionalHasElement", .since = 15, .make = Same()},
      {.onnx = "Pad", .since = 2, .make = OldPad},
      {.onnx = "Pad", .since = 11, .make = Same()},
      {.onnx = "RandomNormal", .since = 1, .make = Same()},
      {.onnx = "RandomNormalLike", .since = 1, .make = Same()},
      {.onnx = "RandomUniform", .since = 1, .make = Same()},
      {.onnx = "RandomUniformLike", .since = 1, .make = Same()},
      {.onnx = "Range", .since = 11, .make = Same()},
      {.onnx = "RegexFullMatch", .since = 20, .make = Same()},
      {.onnx = "Reshape", .since = 1, .make = IntsToInput("Reshape", "shape", 1)},
      {.onnx = "Reshape", .since = 5, .make = Same()},
      {.onnx = "ReverseSequence", .since = 10, .make = Same()},
      {.onnx = "Scan", .since = 8, .make = OldScan},
      {.onnx = "Scan", .since = 9, .make = Same()},
      {.onnx = "Scatter", .since = 9, .make = Same("ScatterElements")},
      {.onnx = "ScatterElements", .since = 11, .make = Same()},
      {.onnx = "ScatterND", .since = 11, .make = Same()},
      {.onnx = "SequenceAt", .since = 11, .make = Same()},
      {.onnx = "SequenceConstruct", .since = 11, .make = Same()},
      {.onnx = "SequenceEmpty", .since = 11, .make = Same()},
      {.onnx = "SequenceErase", .since = 11, .make = Same()},
      {.onnx = "SequenceInsert", .since = 11, .make = Same()},
      {.onnx = "SequenceLength", .since = 11, .make = Same()},
      {.onnx = "SequenceMap", .since = 17, .make = Same()},
      {.onnx = "Shape", .since = 1, .make = Same()},
      {.onnx = "Size", .since = 1, .make = Same()},
      {.onnx = "Slice", .since = 1, .make = OldSlice},
      {.onnx = "Slice", .since = 10, .make = Same()},
      {.onnx = "SpaceToDepth", .since = 1, .make = Same()},
      {.onnx = "Split", .since = 2, .make = IntsToInput("Split", "split", 1)},
      {.onnx = "Split", .since = 13, .make = Same()},
      {.onnx = "SplitToSequence", .since = 11, .make = Same()},
      {.onnx = "Squeeze", .since = 1, .make = IntsToInput("Squeeze", "axes", 1)},
      {.onnx = "Squeeze", .since = 13, .make = Same()},
      {.onnx = "StringConcat", .since = 20, .make = Same()},
      {.onnx = "StringNormalizer", .since = 10, .make = Same()},
      {.onnx = "StringSplit", .since = 20, .make = Same()},
      {.onnx = "TensorScatter", .since = 24, .make = Same()},
      {.onnx = "TfIdfVectorizer", .since = 9, .make = Same()},
      {.onnx = "Tile", .since = 1, .make = OldTile},
      {.onnx = "Tile", .since = 6, .make = Same()},
      {.onnx = "Transpose", .since = 1, .make = Same()},
      {.onnx = "Trilu", .since = 14, .make = Same()},
      {.onnx = "Unique", .since = 11, .make = Same()},
      {.onnx = "Unsqueeze", .since = 1, .make = IntsToInput("Unsqueeze", "axes", 1)},
      {.onnx = "Unsqueeze", .since = 13, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
