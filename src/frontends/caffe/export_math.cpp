// Elementwise operators, softmax and reductions as Caffe layers.
#include <algorithm>
#include <cmath>

#include "frontends/caffe/layer_export.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

std::function<Status(LayerExport&)> Same(std::string_view type) {
  return [type](LayerExport& ctx) { return ctx.Emit(type, {ctx.Blob()}).status(); };
}

// (shift + scale x) ^ power
std::function<Status(LayerExport&)> Power(float power, float scale) {
  return [power, scale](LayerExport& ctx) { return ctx.EmitPower(ctx.Blob(), power, scale, 0); };
}

Status LeakyRelu(LayerExport& ctx) {
  ATH_TRY(Message* const layer, ctx.Emit("ReLU", {ctx.Blob()}));
  layer->AddChild("relu_param").Number("negative_slope", ctx.Attribute("alpha", 0.01F));
  return {};
}

Status Elu(LayerExport& ctx) {
  ATH_TRY(Message* const layer, ctx.Emit("ELU", {ctx.Blob()}));
  layer->AddChild("elu_param").Number("alpha", ctx.Attribute("alpha", 1.0F));
  return {};
}

// Two rectifiers say [0, high], and every Caffe has them: x - (relu(x - high) + x where negative).
Status ClipByRelu(LayerExport& ctx, float high) {
  std::vector<std::string> positive, above;
  ATH_RETURN_IF_ERROR(ctx.Make("ReLU", {ctx.Blob()}, positive).status());
  ATH_TRY(const std::string shifted, ctx.MakePower(positive[0], 1, 1, -high));
  ATH_RETURN_IF_ERROR(ctx.Make("ReLU", {shifted}, above).status());
  ATH_TRY(Message* const layer, ctx.Emit("Eltwise", {positive[0], above[0]}));
  layer->AddChild("eltwise_param").Name("operation", "SUM").Number("coeff", 1).Number("coeff", -1);
  return {};
}

Status Clip(LayerExport& ctx) {
  constexpr float kMost = std::numeric_limits<float>::max();
  ATH_TRY(const float low, ctx.ConstantFloat(1, -kMost));
  ATH_TRY(const float high, ctx.ConstantFloat(2, kMost));
  if (low == 0 && high >= kMost) return Same("ReLU")(ctx);
  const auto& more = ctx.file.dialect.layers;
  const bool relu6 = std::find(more.begin(), more.end(), "ReLU6") != more.end();
  if (low == 0 && high == 6 && relu6) return Same("ReLU6")(ctx);
  if (low == 0 && ctx.file.dialect.round_down != "round_mode") return ClipByRelu(ctx, high);
  ATH_TRY(Message* const layer, ctx.Emit("Clip", {ctx.Blob()}));
  layer->AddChild("clip_param")
      .Number("min", std::max(low, -kMost))
      .Number("max", std::min(high, kMost));
  return {};
}

Status Swish(LayerExport& ctx) {
  ATH_TRY(const std::string scaled, ctx.MakePower(ctx.Blob(), 1, ctx.Attribute("alpha", 1.0F), 0));
  std::vector<std::string> gate;
  ATH_RETURN_IF_ERROR(ctx.Make("Sigmoid", {scaled}, gate).status());
  ATH_TRY(Message* const layer, ctx.Emit("Eltwise", {ctx.Blob(), gate[0]}));
  layer->AddChild("eltwise_param").Name("operation", "PROD");
  return {};
}

// clamp(scale x + shift, 0, 1), as a new blob
Result<std::string> MakeGate(LayerExport& ctx, float scale, float shift) {
  ATH_TRY(const std::string line, ctx.MakePower(ctx.Blob(), 1, scale, shift));
  std::vector<std::string> positive, above, gate;
  ATH_RETURN_IF_ERROR(ctx.Make("ReLU", {line}, positive).status());
  ATH_TRY(const std::string shifted, ctx.MakePower(positive[0], 1, 1, -1));
  ATH_RETURN_IF_ERROR(ctx.Make("ReLU", {shifted}, above).status());
  ATH_TRY(Message* const layer, ctx.Make("Eltwise", {positive[0], above[0]}, gate));
  layer->AddChild("eltwise_param").Name("operation", "SUM").Number("coeff", 1).Number("coeff", -1);
  return gate[0];
}

Status HardSigmoid(LayerExport& ctx) {
  ATH_TRY(const std::string gate,
          MakeGate(ctx, ctx.Attribute("alpha", 0.2F), ctx.Attribute("beta", 0.5F)));
  return ctx.EmitPower(gate, 1, 1, 0);
}

Status HardSwish(LayerExport& ctx) {
  ATH_TRY(const std::string gate, MakeGate(ctx, 1.0F / 6, 0.5F));
  ATH_TRY(Message* const layer, ctx.Emit("Eltwise", {ctx.Blob(), gate}));
  layer->AddChild("eltwise_param").Name("operation", "PROD");
  return {};
}

Status Softmax(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Attribute<std::int64_t>("axis", -1)));
  ATH_TRY(Message* const layer, ctx.Emit("Softmax", {ctx.Blob()}));
  if (axis != 1) layer->AddChild("softmax_param").Number("axis", static_cast<double>(axis));
  return {};
}

Status Pow(LayerExport& ctx) {
  if (!ctx.IsBlob(0)) return Unsupported("a constant to the power of a blob is not written");
  ATH_TRY(const float power, ctx.ConstantFloat(1, 1));
  return ctx.EmitPower(ctx.Blob(), power, 1, 0);
}

Status Eltwise(LayerExport& ctx, std::vector<std::string> blobs, std::string_view operation,
               bool subtract = false) {
  ATH_TRY(Message* const layer, ctx.Emit("Eltwise", std::move(blobs)));
  Message& param = layer->AddChild("eltwise_param").Name("operation", operation);
  if (subtract) param.Number("coeff", 1).Number("coeff", -1);
  return {};
}

// The axes that a constant of `dims` covers of a blob of `blob`: Scale and Bias take one run of
// whole axes. Nothing when it does not lie so.
struct Run {
  std::int64_t axis = 0;
  Dims dims;
};
std::optional<Run> FindRun(Dims dims, const Dims& blob) {
  if (dims.size() > blob.size()) return std::nullopt;
  dims.insert(dims.begin(), blob.size() - dims.size(), 1);
  std::size_t begin = 0, end = dims.size();
  while (begin < end && dims[begin] == 1) ++begin;
  while (end > begin && dims[end - 1] == 1) --end;
  if (begin == end) begin = end = 0;  // one number
  if (!std::equal(dims.begin() + static_cast<std::ptrdiff_t>(begin),
                  dims.begin() + static_cast<std::ptrdiff_t>(end),
                  blob.begin() + static_cast<std::ptrdiff_t>(begin)))
    return std::nullopt;
  return Run{static_cast<std::int64_t>(begin),
             Dims(dims.begin() + static_cast<std::ptrdiff_t>(begin),
                  dims.begin() + static_cast<std::ptrdiff_t>(end))};
}

// A layer with a constant: Scale or Bias, of the blob named.
Status EmitWithConstant(LayerExport& ctx, const std::string& blob, std::size_t constant,
                        std::string_view type, float factor, float power) {
  ATH_TRY(const Tensor weight, ctx.Weight(constant, "operand"));
  ATH_TRY(const Dims dims, ctx.InDims(1 - constant));
  ATH_TRY(const Dims out, ctx.OutDims());
  const std::optional<Run> run = FindRun(weight.dims(), dims);
  if (!run || out != dims)
    return Unsupported("a constant of {} beside {} is not written; whole axes side by side are",
                       ToString(weight.dims()), ToString(dims));
  ATH_TRY(Tensor values, weight.Clone());
  for (float& value : values.MutableData<float>())
    value = factor * (power == 1 ? value : 1 / value);
  ATH_TRY(Message* const layer, ctx.Emit(type, {blob}));
  Message& param = layer->AddChild(type == "Scale" ? "scale_param" : "bias_param");
  param.Number("axis", static_cast<double>(run->axis));
  param.Number("num_axes", static_cast<double>(run->dims.size()));
  ctx.AddBlob(*layer, values.Reshaped(run->dims));
  return {};
}

// Two blobs, one of which is smaller by axes of size 1 at its end, as a layer that stretches it.
Status EmitStretched(LayerExport& ctx, std::string_view type) {
  ATH_TRY(const Dims a, ctx.InDims(0));
  ATH_TRY(const Dims b, ctx.InDims(1));
  ATH_TRY(const Dims out, ctx.OutDims());
  const std::size_t large = a == out ? 0 : 1;
  const std::optional<Run> run = FindRun(large == 0 ? b : a, large == 0 ? a : b);
  if ((large == 0 ? a : b) != out || !run)
    return Unsupported("operands of {} and {} are not written", ToString(a), ToString(b));
  ATH_TRY(const std::string small, ctx.MakeReshape(ctx.Blob(1 - large), run->dims));
  ATH_TRY(Message* const layer, ctx.Emit(type, {ctx.Blob(large), small}));
  layer->AddChild(type == "Scale" ? "scale_param" : "bias_param")
      .Number("axis", static_cast<double>(run->axis));
  return {};
}

bool SameDims(const LayerExport& ctx) {
  const Result<Dims> a = ctx.InDims(0), b = ctx.InDims(1);
  return a.ok() && b.ok() && *a == *b;
}

Status AddOrSubtract(LayerExport& ctx) {
  const bool subtract = ctx.node.op->name == "Sub";
  if (ctx.IsBlob(0) && ctx.IsBlob(1)) {
    if (SameDims(ctx)) return Eltwise(ctx, {ctx.Blob(0), ctx.Blob(1)}, "SUM", subtract);
    if (!subtract) return EmitStretched(ctx, "Bias");
    return Unsupported("a difference of {} and {} is not written", ctx.InType(0).ToString(),
                       ctx.InType(1).ToString());
  }
  const std::size_t constant = ctx.IsBlob(0) ? 1 : 0;
  if (!ctx.IsBlob(1 - constant)) return Unsupported("both operands are constants");
  const float of_blob = subtract && constant == 0 ? -1.0F : 1.0F;
  const float of_constant = subtract && constant == 1 ? -1.0F : 1.0F;
  if (ctx.Constant(constant)->count() == 1) {
    ATH_TRY(const float number, ctx.ConstantFloat(constant, 0));
    return ctx.EmitPower(ctx.Blob(1 - constant), 1, of_blob, of_constant * number);
  }
  std::string blob = ctx.Blob(1 - constant);
  if (of_blob != 1) {
    ATH_TRY(blob, ctx.MakePower(blob, 1, -1, 0));
  }
  return EmitWithConstant(ctx, blob, constant, "Bias", of_constant, 1);
}

Status MultiplyOrDivide(LayerExport& ctx) {
  const bool divide = ctx.node.op->name == "Div";
  if (ctx.IsBlob(0) && ctx.IsBlob(1)) {
    if (!divide && SameDims(ctx)) return Eltwise(ctx, {ctx.Blob(0), ctx.Blob(1)}, "PROD");
    if (!divide) return EmitStretched(ctx, "Scale");
    if (!SameDims(ctx))
      return Unsupported("a quotient of {} and {} is not written", ctx.InType(0).ToString(),
                         ctx.InType(1).ToString());
    ATH_TRY(const std::string inverse, ctx.MakePower(ctx.Blob(1), -1, 1, 0));
    return Eltwise(ctx, {ctx.Blob(0), inverse}, "PROD");
  }
  const std::size_t constant = ctx.IsBlob(0) ? 1 : 0;
  if (!ctx.IsBlob(1 - constant)) return Unsupported("both operands are constants");
  if (divide && constant == 0) {
    ATH_TRY(const float number, ctx.ConstantFloat(0, 1));
    if (number == 0) return Unsupported("0 divided by a blob is not written");
    return ctx.EmitPower(ctx.Blob(1), -1, 1 / number, 0);
  }
  if (ctx.Constant(constant)->count() == 1) {
    ATH_TRY(const float number, ctx.ConstantFloat(constant, 1));
    return ctx.EmitPower(ctx.Blob(1 - constant), 1, divide ? 1 / number : number, 0);
  }
  return EmitWithConstant(ctx, ctx.Blob(1 - constant), constant, "Scale", 1, divide ? -1.0F : 1.0F);
}

// Sum and Max of any number of blobs of one shape.
std::function<Status(LayerExport&)> Several(std::string_view operation) {
  return [operation](LayerExport& ctx) -> Status {
    std::vector<std::string> blobs;
    for (std::size_t i = 0; i < ctx.node.inputs.size(); ++i) {
      if (!ctx.IsBlob(i) || !(ctx.InType(i) == ctx.InType(0)))
        return Unsupported("operands that are blobs of one shape are written");
      blobs.push_back(ctx.Blob(i));
    }
    if (blobs.size() == 1) return ctx.Emit("Split", std::move(blobs)).status();
    return Eltwise(ctx, std::move(blobs), operation);
  };
}

// Over all axes from one on: Caffe's reduction leaves none of them.
std::function<Status(LayerExport&)> Reduction(std::string_view operation) {
  return [operation](LayerExport& ctx) -> Status {
    ATH_TRY(const Dims in, ctx.InDims());
    ATH_TRY(const Dims out, ctx.OutDims());
    const auto rank = static_cast<std::int64_t>(in.size());
    IntList axes;
    if (ctx.Has(1)) {
      ATH_TRY(axes, ctx.ConstantInts(1, "axes"));
    } else {
      for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    }
    for (std::int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
    std::sort(axes.begin(), axes.end());
    if (axes.empty() || axes[0] + static_cast<std::int64_t>(axes.size()) != rank ||
        axes.back() != rank - 1)
      return Unsupported("a reduction over axes {} is not written; the last axes are",
                         ToString(axes));
    const bool keep = ctx.Attribute<std::int64_t>("keepdims", 1) != 0;
    std::vector<std::string> reduced;
    Message* layer = nullptr;
    if (keep) {
      ATH_TRY(layer, ctx.Make("Reduction", {ctx.Blob()}, reduced));
    } else {
      ATH_TRY(layer, ctx.Emit("Reduction", {ctx.Blob()}));
    }
    layer->AddChild("reduction_param")
        .Name("operation", operation)
        .Number("axis", static_cast<double>(axes[0]));
    if (!keep) return {};
    ATH_TRY(Message* const reshape, ctx.Emit("Reshape", {reduced[0]}));
    Message& shape = reshape->AddChild("reshape_param").AddChild("shape");
    for (const std::int64_t dim : out) shape.Number("dim", static_cast<double>(dim));
    return {};
  };
}

}  // namespace

std::vector<ExportRow> MathExportRows() {
  return {
      {"Abs", Same("AbsVal")},
      {"Add", AddOrSubtract},
      {"Clip", Clip},
      {"Div", MultiplyOrDivide},
      {"Elu", Elu},
      {"Exp", Same("Exp")},
      {"HardSigmoid", HardSigmoid},
      {"HardSwish", HardSwish},
      {"LeakyRelu", LeakyRelu},
      {"Log", Same("Log")},
      {"Max", Several("MAX")},
      {"Mul", MultiplyOrDivide},
      {"Neg", Power(1, -1)},
      {"Pow", Pow},
      {"Reciprocal", Power(-1, 1)},
      {"ReduceL1", Reduction("ASUM")},
      {"ReduceMean", Reduction("MEAN")},
      {"ReduceSum", Reduction("SUM")},
      {"ReduceSumSquare", Reduction("SUMSQ")},
      {"Relu", Same("ReLU")},
      {"Sigmoid", Same("Sigmoid")},
      {"Softmax", Softmax},
      {"Softplus", Same("BNLL")},
      {"Sqrt", Power(0.5F, 1)},
      {"Sub", AddOrSubtract},
      {"Sum", Several("SUM")},
      {"Swish", Swish},
      {"Tanh", Same("TanH")},
  };
}

}  // namespace athanor::caffe
