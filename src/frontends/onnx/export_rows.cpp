// Operators whose older forms take attributes where the newest takes inputs, or count differently.
#include <algorithm>
#include <limits>
#include <numeric>

#include "frontends/onnx/forms.h"
#include "frontends/onnx/node_export.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

// Before operator set 11 negative axes are not defined.
Result<std::vector<std::int64_t>> OldAxes(NodeExport& ctx, std::vector<std::int64_t> axes,
                                          std::int64_t added_rank = 0) {
  const bool negative = std::any_of(axes.begin(), axes.end(), [](auto axis) { return axis < 0; });
  if (!negative || ctx.opset() >= 11) return axes;
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank + added_rank : 0;
  return axes;
}

// Squeeze and Unsqueeze: axes become an attribute.
template <bool kAddsAxes>
Status AxesAttribute(NodeExport& ctx) {
  std::vector<std::int64_t> axes;
  if (ctx.Has(1)) {
    ATH_TRY(axes, ctx.ConstantInts(1));
    ATH_TRY(axes, OldAxes(ctx, axes, kAddsAxes ? static_cast<std::int64_t>(axes.size()) : 0));
  }
  NodeProto& made = ctx.Emit(ctx.node.op->name, {ctx.inputs[0]}, ctx.outputs);
  CopyAttributes(ctx, made);
  if (!axes.empty()) SetInts(made, "axes", std::move(axes));
  return {};
}

Status Reduction(NodeExport& ctx) {
  constexpr std::string_view kNewer[] = {"noop_with_empty_axes"};
  std::vector<std::int64_t> axes;
  if (ctx.Has(1)) {
    ATH_TRY(axes, ctx.ConstantInts(1));
    ATH_TRY(axes, OldAxes(ctx, axes));
  }
  if (axes.empty() && ctx.Attribute<std::int64_t>("noop_with_empty_axes", 0) != 0)
    return Unsupported("a reduction over no axis does not exist there");
  NodeProto& made = ctx.Emit(ctx.node.op->name, {ctx.inputs[0]}, ctx.outputs);
  CopyAttributes(ctx, made, kNewer);
  if (!axes.empty()) SetInts(made, "axes", std::move(axes));
  return {};
}

// Before operator set 13 everything from the axis on was one dimension. Only over the last axis do
// both agree, so another axis is moved there and back.
Status SoftmaxLike(NodeExport& ctx) {
  constexpr std::string_view kAxis[] = {"axis"};
  const auto said = ctx.Attribute<std::int64_t>("axis", -1);
  const std::string& op = ctx.node.op->name;
  if (said == -1 && ctx.opset() >= 11) {
    SetInt(ctx.Emit(op, ctx.inputs, ctx.outputs), "axis", -1);
    return {};
  }
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  const std::int64_t axis = said < 0 ? said + rank : said;
  if (axis == rank - 1) {
    SetInt(ctx.Emit(op, ctx.inputs, ctx.outputs), "axis", axis);
    return {};
  }
  std::vector<std::int64_t> swap(static_cast<std::size_t>(rank));
  std::iota(swap.begin(), swap.end(), 0);
  std::swap(swap[static_cast<std::size_t>(axis)], swap.back());
  const std::string moved = ctx.Make("Transpose", {ctx.inputs[0]});
  SetInts(ctx.last(), "perm", swap);
  const std::string result = ctx.Make(op, {moved});
  SetInt(ctx.last(), "axis", rank - 1);
  CopyAttributes(ctx, ctx.last(), kAxis);
  SetInts(ctx.Emit("Transpose", {result}, ctx.outputs), "perm", swap);
  return {};
}

Status Split(NodeExport& ctx) {
  constexpr std::string_view kNewer[] = {"num_outputs", "axis"};
  const auto parts = static_cast<std::int64_t>(ctx.outputs.size());
  auto axis = ctx.Attribute<std::int64_t>("axis", 0);
  std::vector<std::int64_t> sizes;
  if (ctx.Has(1) && (ctx.opset() < 13 || ctx.Constant(1) != nullptr)) {
    ATH_TRY(sizes, ctx.ConstantInts(1));
  }
  if (!ctx.Has(1)) {
    // Uneven parts have to be named; whether they are uneven must be known.
    ATH_TRY(const std::int64_t rank, ctx.Rank(0));
    const Dim& size = ctx.InType(0).dim(axis < 0 ? axis + rank : axis);
    if (!size.IsConst()) return Unsupported("the size of the split dimension must be known");
    const std::int64_t chunk = (size.value() + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i)
      sizes.push_back(std::max<std::int64_t>(0, std::min(chunk, size.value() - i * chunk)));
  }
  ATH_TRY(const std::vector<std::int64_t> axes, OldAxes(ctx, {axis}));
  std::vector<std::string> inputs = {ctx.inputs[0]};
  if (ctx.opset() >= 13) inputs.push_back(ctx.Has(1) ? ctx.inputs[1] : ctx.Ints(sizes));
  NodeProto& made = ctx.Emit("Split", std::move(inputs), ctx.outputs);
  CopyAttributes(ctx, made, kNewer);
  SetInt(made, "axis", axes[0]);
  if (ctx.opset() < 13) SetInts(made, "split", std::move(sizes));
  return {};
}

Status Clip(NodeExport& ctx) {
  if (!IsFloat(ctx.InType(0).dtype)) return Unsupported("it takes only floating point there");
  std::optional<float> low, high;
  if (ctx.Has(1)) {
    ATH_TRY(low, ctx.ConstantFloat(1));
  }
  if (ctx.Has(2)) {
    ATH_TRY(high, ctx.ConstantFloat(2));
  }
  NodeProto& made = ctx.Emit("Clip", {ctx.inputs[0]}, ctx.outputs);
  if (low) SetFloat(made, "min", *low);
  if (high) SetFloat(made, "max", *high);
  return {};
}

// Begins of all axes, then ends of all axes.
Result<std::vector<std::int64_t>> AllPads(NodeExport& ctx) {
  ATH_TRY(std::vector<std::int64_t> pads, ctx.ConstantInts(1));
  if (!ctx.Has(3)) return pads;
  ATH_TRY(const std::vector<std::int64_t> axes, ctx.ConstantInts(3));
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  std::vector<std::int64_t> all(static_cast<std::size_t>(2 * rank), 0);
  for (std::size_t i = 0; i < axes.size() && 2 * axes.size() == pads.size(); ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return InvalidModel("axis {} is out of range", axes[i]);
    all[static_cast<std::size_t>(axis)] = pads[i];
    all[static_cast<std::size_t>(axis + rank)] = pads[i + axes.size()];
  }
  return all;
}

Status PadAxes(NodeExport& ctx) {
  if (ctx.Attribute<std::string>("mode", "") == "wrap")
    return Unsupported("mode \"wrap\" does not exist there");
  std::vector<std::string> inputs = {ctx.inputs[0], ctx.inputs[1], ctx.Has(2) ? ctx.inputs[2] : ""};
  if (ctx.Has(3)) {
    ATH_TRY(const std::vector<std::int64_t> pads, AllPads(ctx));
    inputs[1] = ctx.Ints(pads);
  }
  CopyAttributes(ctx, ctx.Emit("Pad", std::move(inputs), ctx.outputs));
  return {};
}

Status PadAttributes(NodeExport& ctx) {
  if (!IsFloat(ctx.InType(0).dtype)) return Unsupported("it takes only floating point there");
  ATH_TRY(std::vector<std::int64_t> pads, AllPads(ctx));
  float value = 0;
  if (ctx.Has(2)) {
    ATH_TRY(value, ctx.ConstantFloat(2));
  }
  NodeProto& made = ctx.Emit("Pad", {ctx.inputs[0]}, ctx.outputs);
  CopyAttributes(ctx, made);
  SetInts(made, "pads", std::move(pads));
  SetFloat(made, "value", value);
  return {};
}

Status Slice(NodeExport& ctx) {
  ATH_TRY(std::vector<std::int64_t> starts, ctx.ConstantInts(1));
  ATH_TRY(std::vector<std::int64_t> ends, ctx.ConstantInts(2));
  std::vector<std::int64_t> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (ctx.Has(3)) {
    ATH_TRY(axes, ctx.ConstantInts(3));
  }
  if (ctx.Has(4)) {
    ATH_TRY(const std::vector<std::int64_t> steps, ctx.ConstantInts(4));
    if (std::any_of(steps.begin(), steps.end(), [](auto step) { return step != 1; }))
      return Unsupported("steps other than 1 do not exist there");
  }
  ATH_TRY(axes, OldAxes(ctx, axes));
  NodeProto& made = ctx.Emit("Slice", {ctx.inputs[0]}, ctx.outputs);
  SetInts(made, "starts", std::move(starts));
  SetInts(made, "ends", std::move(ends));
  SetInts(made, "axes", std::move(axes));
  return {};
}

Status TopK(NodeExport& ctx) {
  constexpr std::string_view kNewer[] = {"largest", "sorted", "axis"};
  if (ctx.Attribute<std::int64_t>("largest", 1) == 0)
    return Unsupported("the smallest elements cannot be asked for there");
  ATH_TRY(const std::vector<std::int64_t> axes,
          OldAxes(ctx, {ctx.Attribute<std::int64_t>("axis", -1)}));
  if (ctx.opset() >= 10) {
    SetInt(ctx.Emit("TopK", {ctx.inputs[0], ctx.inputs[1]}, ctx.outputs), "axis", axes[0]);
    return {};
  }
  ATH_TRY(const std::vector<std::int64_t> k, ctx.ConstantInts(1));
  if (k.size() != 1) return InvalidModel("k must be one number");
  NodeProto& made = ctx.Emit("TopK", {ctx.inputs[0]}, ctx.outputs);
  CopyAttributes(ctx, made, kNewer);
  SetInt(made, "axis", axes[0]);
  SetInt(made, "k", k[0]);
  return {};
}

// Operator sets 11 and 12 require roi and scales; empty ones mean none.
Status ResizeInputs(NodeExport& ctx) {
  const std::string empty = ctx.file.ConstantName(Tensor::FromVector<float>({0}, {}), "");
  std::vector<std::string> inputs = {ctx.inputs[0], ctx.Has(1) ? ctx.inputs[1] : empty,
                                     ctx.Has(2) ? ctx.inputs[2] : empty,
                                     ctx.Has(3) ? ctx.inputs[3] : ""};
  for (const std::string_view name : {"antialias", "axes", "keep_aspect_ratio_policy"}) {
    if (ctx.node.attributes.Find(name) != nullptr)
      return Unsupported("attribute \"{}\" does not exist there", name);
  }
  CopyAttributes(ctx, ctx.Emit("Resize", std::move(inputs), ctx.outputs));
  return {};
}

// Resize of operator set 10 and Upsample before know scales, "nearest" and "linear", and
// coordinates x / scale.
Status ResizeScales(NodeExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "nearest");
  const auto coordinates =
      ctx.Attribute<std::string>("coordinate_transformation_mode", "half_pixel");
  const auto rounding = ctx.Attribute<std::string>("nearest_mode", "round_prefer_floor");
  const bool same = coordinates == "asymmetric" &&
                    (mode == "linear" || (mode == "nearest" && rounding == "floor"));
  if (!same || !ctx.Has(2))
    return Unsupported(
        "only scales with asymmetric coordinates, linear or nearest by floor, exist there");
  for (const std::string_view name : {"antialias", "axes", "keep_aspect_ratio_policy"}) {
    if (ctx.node.attributes.Find(name) != nullptr)
      return Unsupported("attribute \"{}\" does not exist there", name);
  }
  const std::string_view op = ctx.opset() >= 10 ? "Resize" : "Upsample";
  std::vector<std::string> inputs = {ctx.inputs[0]};
  std::vector<float> scales;
  if (ctx.opset() >= 9) {
    inputs.push_back(ctx.inputs[2]);
  } else {
    if (ctx.Constant(2) == nullptr) return Unsupported("computed scales do not exist there");
    ATH_TRY(const std::vector<double> values, ToDoubles(*ctx.Constant(2)));
    scales.assign(values.begin(), values.end());
  }
  NodeProto& made = ctx.Emit(op, std::move(inputs), ctx.outputs);
  made.attribute.push_back(MakeAttribute(ctx.file, "mode", mode));
  if (!scales.empty()) {
    AttributeProto& attribute = made.attribute.emplace_back();
    attribute.name = "scales";
    attribute.type = static_cast<std::int32_t>(AttributeType::kFloats);
    attribute.floats = std::move(scales);
  }
  return {};
}

// Before operator set 11 the third input is required.
Status Gemm(NodeExport& ctx) {
  std::vector<std::string> inputs = ctx.inputs;
  if (!ctx.Has(2)) {
    inputs.resize(2);
    inputs.push_back(ctx.Float(0));
  }
  CopyAttributes(ctx, ctx.Emit("Gemm", std::move(inputs), ctx.outputs));
  return {};
}

Status ShapeRange(NodeExport& ctx) {
  const auto start = ctx.Attribute<std::int64_t>("start", 0);
  const AttrValue* end = ctx.node.attributes.Find("end");
  if (start == 0 && end == nullptr) {
    ctx.Emit("Shape", ctx.inputs, ctx.outputs);
    return {};
  }
  const std::string whole = ctx.Make("Shape", ctx.inputs);
  const std::int64_t stop =
      end == nullptr ? std::numeric_limits<std::int64_t>::max() : std::get<std::int64_t>(*end);
  if (ctx.opset() >= 10) {
    ctx.Emit("Slice", {whole, ctx.Ints({start}), ctx.Ints({stop}), ctx.Ints({0})}, ctx.outputs);
    return {};
  }
  NodeProto& made = ctx.Emit("Slice", {whole}, ctx.outputs);
  SetInts(made, "starts", {start});
  SetInts(made, "ends", {stop});
  SetInts(made, "axes", {0});
  return {};
}

Status Dropout(NodeExport& ctx) {
  if (ctx.Has(2)) {
    ATH_TRY(const float training, ctx.ConstantFloat(2));
    if (training != 0) return Unsupported("training mode does not exist there");
  }
  NodeProto& made = ctx.Emit("Dropout", {ctx.inputs[0]}, ctx.outputs);
  if (ctx.Has(1)) {
    ATH_TRY(const float ratio, ctx.ConstantFloat(1));
    SetFloat(made, "ratio", ratio);
  }
  return {};
}

// One scale for the whole tensor needs no axis.
Status QuantizePerTensor(NodeExport& ctx) {
  constexpr std::string_view kAxis[] = {"axis"};
  const std::optional<Dims> scale = ctx.InType(1).StaticDims();
  if (!scale || !(scale->empty() || (scale->size() == 1 && (*scale)[0] == 1)))
    return Unsupported("only one scale for the whole tensor exists there");
  for (const auto& [name, value] : ctx.node.attributes) {
    if (name != "axis") return Unsupported("attribute \"{}\" does not exist there", name);
  }
  if (ctx.opset() < 10) return Unsupported("it does not exist there");
  CopyAttributes(ctx, ctx.Emit(ctx.node.op->name, ctx.inputs, ctx.outputs), kAxis);
  return {};
}

Status Dft(NodeExport& ctx) {
  if (ctx.opset() < 17) return Unsupported("it does not exist there");
  std::int64_t axis = -2;
  if (ctx.Has(2)) {
    ATH_TRY(const std::vector<std::int64_t> axes, ctx.ConstantInts(2));
    if (axes.size() == 1) axis = axes[0];
  }
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  NodeProto& made = ctx.Emit("DFT", {ctx.inputs[0], ctx.Has(1) ? ctx.inputs[1] : ""}, ctx.outputs);
  CopyAttributes(ctx, made);
  SetInt(made, "axis", axis < 0 ? axis + rank : axis);
  return {};
}

// The modes carried the number of axes in their names, and there were two axes only.
Status GridSample(NodeExport& ctx) {
  constexpr std::string_view kMode[] = {"mode"};
  if (ctx.opset() < 16) return Unsupported("it does not exist there");
  ATH_TRY(const std::int64_t rank, ctx.Rank(0));
  if (rank != 4) return Unsupported("it takes only images of two axes there");
  std::string mode = ctx.Attribute<std::string>("mode", "linear");
  if (mode != "nearest") mode = "bi" + mode;
  NodeProto& made = ctx.Emit("GridSample", ctx.inputs, ctx.outputs);
  CopyAttributes(ctx, made, kMode);
  made.attribute.push_back(MakeAttribute(ctx.file, "mode", mode));
  return {};
}

// Coordinates were never moved by half an element.
Status RoiAlign(NodeExport& ctx) {
  constexpr std::string_view kTransform[] = {"coordinate_transformation_mode"};
  if (ctx.opset() < 10) return Unsupported("it does not exist there");
  if (ctx.Attribute<std::string>(kTransform[0], "half_pixel") != "output_half_pixel")
    return Unsupported("only the mode output_half_pixel exists there");
  CopyAttributes(ctx, ctx.Emit("RoiAlign", ctx.inputs, ctx.outputs), kTransform);
  return {};
}

}  // namespace

std::vector<ExportRow> ConvertedRows() {
  std::vector<ExportRow> rows = {
      {.op = "Clip", .below = 11, .make = Clip},
      {.op = "DFT", .below = 20, .make = Dft},
      {.op = "DequantizeLinear", .below = 13, .make = QuantizePerTensor},
      {.op = "Dropout", .below = 12, .make = Dropout},
      {.op = "Gemm", .below = 11, .make = Gemm},
      {.op = "GridSample", .below = 20, .make = GridSample},
      {.op = "Hardmax", .below = 13, .make = SoftmaxLike},
      {.op = "LogSoftmax", .below = 13, .make = SoftmaxLike},
      {.op = "Pad", .below = 11, .make = PadAttributes},
      {.op = "Pad", .below = 18, .make = PadAxes},
      {.op = "QuantizeLinear", .below = 13, .make = QuantizePerTensor},
      {.op = "ReduceSum", .below = 13, .make = Reduction},
      {.op = "Resize", .below = 11, .make = ResizeScales},
      {.op = "Resize", .below = 13, .make = ResizeInputs},
      {.op = "RoiAlign", .below = 16, .make = RoiAlign},
      {.op = "Shape", .below = 15, .make = ShapeRange},
      {.op = "Slice", .below = 10, .make = Slice},
      {.op = "Softmax", .below = 13, .make = SoftmaxLike},
      {.op = "Split", .below = 18, .make = Split},
      {.op = "Squeeze", .below = 13, .make = AxesAttribute<false>},
      {.op = "TopK", .below = 11, .make = TopK},
      {.op = "Unsqueeze", .below = 13, .make = AxesAttribute<true>},
  };
  for (const std::string_view op :
       {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
        "ReduceMin", "ReduceProd", "ReduceSumSquare"})
    rows.push_back({.op = op, .below = 18, .make = Reduction});
  return rows;
}

}  // namespace athanor::onnx
