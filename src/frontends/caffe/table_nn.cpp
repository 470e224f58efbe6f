// Layers with weights, and pooling.
#include <algorithm>

#include "frontends/caffe/layer_import.h"
#include "frontends/caffe/window.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

constexpr std::int64_t kMostOutputs = std::int64_t{1} << 31;

std::int64_t NumOutput(LayerImport& ctx, Params& param) {
  const std::int64_t count = param.Int("num_output", 0);
  if (count > 0 && count < kMostOutputs) return count;
  ctx.Fail(InvalidModel("num_output is {}; a positive number is expected", count));
  return 1;
}

void IgnoreTraining(Params& param) {
  param.Ignore({"weight_filler", "bias_filler", "engine", "force_nd_im2col"});
}

std::vector<ValueId> WithBias(LayerImport& ctx, Params& param, std::vector<ValueId> in,
                              std::int64_t out) {
  if (param.Bool("bias_term", true)) in.push_back(ctx.Weight(1, {out}, Fill::kShift));
  return in;
}

// Convolution and Deconvolution: weights are [out, in / group, ...], or [in, out / group, ...].
Status Convolve(LayerImport& ctx, Params& param, bool depthwise, bool transposed) {
  const std::int64_t in = ctx.Dim(1), out = NumOutput(ctx, param);
  const std::int64_t group = param.Int("group", depthwise ? in : 1);
  if (param.Int("axis", 1) != 1) return Unsupported("channels on another axis than 1 are not read");
  IgnoreTraining(param);
  const Window window = ReadWindow(ctx, param, ctx.Rank() - 2);
  ATH_RETURN_IF_ERROR(ctx.problem());
  if (group < 1 || in % group != 0 || out % group != 0)
    return InvalidModel("{} inputs and {} outputs cannot be divided into {} groups", in, out,
                        group);
  Dims dims = transposed ? Dims{in, out / group} : Dims{out, in / group};
  for (const std::int64_t taps : window.kernel) dims.push_back(taps);
  const ValueId weight = ctx.Weight(0, dims, Fill::kSpread);
  AttrMap attributes = window.Attributes();
  attributes.Set("group", group);
  return ctx.Give(ctx.Op(transposed ? "ConvTranspose" : "Conv",
                         WithBias(ctx, param, {ctx.In(), weight}, out), std::move(attributes)));
}

Status Convolution(LayerImport& ctx) {
  return Convolve(ctx, ctx.Param("convolution_param"), false, false);
}

Status Depthwise(LayerImport& ctx) {
  return Convolve(ctx, ctx.Param("convolution_param"), true, false);
}

Status Convolution3d(LayerImport& ctx) {
  return Convolve(ctx, ctx.Param("convolution3d_param"), false, false);
}

Status Deconvolution(LayerImport& ctx) {
  return Convolve(ctx, ctx.Param("convolution_param"), false, true);
}

Status InnerProduct(LayerImport& ctx) {
  Params& param = ctx.Param("inner_product_param");
  const std::int64_t out = NumOutput(ctx, param);
  const std::int64_t axis = ctx.Axis(param.Int("axis", 1));
  const bool transpose = param.Bool("transpose", false);
  IgnoreTraining(param);
  const std::int64_t in = ctx.Count(axis, ctx.Rank());
  ATH_RETURN_IF_ERROR(ctx.problem());
  const Dims dims = transpose ? Dims{in, out} : Dims{out, in};
  const ValueId x =
      ctx.Rank() == 2 && axis == 1 ? ctx.In() : ctx.Op("Flatten", {ctx.In()}, {{"axis", axis}});
  std::vector<ValueId> operands =
      WithBias(ctx, param, {x, ctx.Weight(0, dims, Fill::kSpread)}, out);
  const ValueId y = ctx.Op("Gemm", operands, {{"transB", std::int64_t{transpose ? 0 : 1}}});
  if (axis == 1) return ctx.Give(y);
  Dims shape = ctx.DimsOf(0, axis);
  shape.push_back(out);
  return ctx.Give(ctx.Reshape(y, shape));
}

Status Embed(LayerImport& ctx) {
  Params& param = ctx.Param("embed_param");
  const std::int64_t out = NumOutput(ctx, param), rows = param.Int("input_dim", 0);
  IgnoreTraining(param);
  const ValueId index = ctx.Op("Cast", {ctx.In()}, {{"to", DType::kI64}});
  ValueId y = ctx.Op("Gather", {ctx.Weight(0, {rows, out}, Fill::kSpread), index});
  if (param.Bool("bias_term", true)) y = ctx.Op("Add", {y, ctx.Weight(1, {out}, Fill::kShift)});
  return ctx.Give(y);
}

// Caffe rounds the number of windows up, then leaves a last one out that would start in the pad.
std::int64_t NumWindows(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                        std::int64_t pad, bool ceil) {
  const std::int64_t room = size + 2 * pad - kernel;
  if (room < 0) return 0;
  std::int64_t count = room / stride + 1;
  if (ceil && room % stride != 0) ++count;
  if (pad > 0 && (count - 1) * stride >= size + pad) --count;
  return count;
}

Status CheckWindows(LayerImport& ctx, const Window& window, bool ceil, ValueId y) {
  ATH_RETURN_IF_ERROR(ctx.problem());
  const Type& out = ctx.graph.value(y).type;
  for (std::size_t a = 0; a < window.kernel.size(); ++a) {
    const auto axis = static_cast<std::int64_t>(a) + 2;
    const athanor::Dim& in = ctx.InType().dim(axis);
    if (!in.IsConst()) continue;
    const std::int64_t wanted =
        NumWindows(in.value(), window.kernel[a], window.strides[a], window.pads[a], ceil);
    if (!out.dim(axis).Is(wanted))
      return Unsupported("a kernel of {} with stride {} leaves windows outside of the input",
                         window.kernel[a], window.strides[a]);
  }
  return {};
}

// The position of a largest value inside its plane, as a number: what Caffe calls the mask.
ValueId Mask(LayerImport& ctx, ValueId positions) {
  const std::int64_t plane = ctx.Count(2, ctx.Rank());
  if (!ctx.problem().ok()) return kNoValue;
  const ValueId inside = ctx.Op(
      "Mod",
      {positions, ctx.Constant(Tensor::Scalar<std::int64_t>(std::max<std::int64_t>(plane, 1)))});
  const ValueId mask = ctx.Op("Cast", {inside}, {{"to", DType::kF32}});
  ctx.net.pooled_from[mask] = positions;
  return mask;
}

Status Pool(LayerImport& ctx, Params& param) {
  const std::size_t method = param.Choice("pool", {"MAX", "AVE", "STOCHASTIC"}, 0);
  const bool floor = param.Choice("round_mode", {"CEIL", "FLOOR"}, 0) == 1;
  const bool ceil = param.Bool("ceil_mode", true) && !floor;
  param.Ignore({"engine"});
  if (method == 2) return Unsupported("stochastic pooling is not read; MAX and AVE are");
  const bool max = method == 0;
  if (!max && ctx.tops.size() > 1) return InvalidModel("only MAX pooling has two outputs");
  Window window;
  if (param.Bool("global_pooling", false)) {
    param.Ignore({"kernel_size", "kernel_h", "kernel_w"});
    window = {.kernel = ctx.DimsOf(2, ctx.Rank()), .strides = {}, .pads = {}, .dilations = {}};
    window.strides.assign(window.kernel.size(), param.Int("stride", 1));
    window.pads.assign(window.kernel.size(), param.Int("pad", 0));
    window.dilations.assign(window.kernel.size(), 1);
    if (window.pads != IntList(window.kernel.size(), 0) ||
        window.strides != IntList(window.kernel.size(), 1))
      return InvalidModel("global pooling has no pad and a stride of 1");
    if (ctx.tops.size() == 1)
      return ctx.Give(ctx.Op(max ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
  } else {
    window = ReadWindow(ctx, param, ctx.Rank() - 2);
  }
  ATH_RETURN_IF_ERROR(ctx.problem());
  AttrMap attributes = window.Attributes();
  attributes.Set("ceil_mode", std::int64_t{ceil});
  if (!max) attributes.Set("count_include_pad", std::int64_t{1});
  ctx.outputs =
      ctx.Ops(max ? "MaxPool" : "AveragePool", {ctx.In()}, ctx.tops.size(), std::move(attributes));
  ATH_RETURN_IF_ERROR(CheckWindows(ctx, window, ceil, ctx.outputs[0]));
  if (ctx.outputs.size() > 1) ctx.outputs[1] = Mask(ctx, ctx.outputs[1]);
  return {};
}

Status Pooling(LayerImport& ctx) { return Pool(ctx, ctx.Param("pooling_param")); }
Status Pooling3d(LayerImport& ctx) { return Pool(ctx, ctx.Param("pooling3d_param")); }

}  // namespace

std::vector<Row> NnRows() {
  return {
      {.type = "Convolution", .make = Convolution},
      {.type = "Convolution3D", .make = Convolution3d, .origin = "C3D"},
      {.type = "ConvolutionDepthwise", .make = Depthwise, .origin = "MobileNet"},
      {.type = "CuDNNGroupedConvolution", .make = Convolution, .origin = "NVIDIA"},
      {.type = "Deconvolution", .make = Deconvolution},
      {.type = "DepthwiseConv", .make = Depthwise, .origin = "MobileNet"},
      {.type = "DepthwiseConvolution", .make = Depthwise, .origin = "MobileNet"},
      {.type = "Embed", .make = Embed},
      {.type = "InnerProduct", .make = InnerProduct},
      {.type = "Pooling", .outputs = {1, 2}, .make = Pooling},
      {.type = "Pooling3D", .make = Pooling3d, .origin = "C3D"},
  };
}

}  // namespace athanor::caffe
