// Layers on 8-bit numbers, as MNN's own quantiser wrote them: each becomes the operator on real
// numbers between DequantizeLinear and QuantizeLinear, which the engine runs on integers.
#include <algorithm>
#include <cstring>

#include "core/checked.h"
#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

// The scale of each channel: one constant for all if they are equal, else a vector along axis 1.
struct Scale {
  ValueId value = kNoValue;
  AttrMap attributes = {};
};

Scale ScaleOf(OpImport& ctx, std::vector<float> scales) {
  for (const float scale : scales) {
    if (!(scale > 0) || scale > 1e30F)
      ctx.Fail(InvalidModel("scale {} is no positive number", scale));
  }
  if (scales.empty()) ctx.Fail(InvalidModel("a scale is missing"));
  if (!ctx.problem().ok()) return {};
  const bool same =
      std::all_of(scales.begin(), scales.end(), [&](float scale) { return scale == scales[0]; });
  if (same) return {ctx.Scalar(scales[0])};
  const auto count = static_cast<std::int64_t>(scales.size());
  return {ctx.Floats({count}, scales), {{"axis", std::int64_t{1}}}};
}

ValueId Dequantized(OpImport& ctx, ValueId x, const Scale& scale) {
  return ctx.Op("DequantizeLinear", {x, scale.value}, scale.attributes);
}

Status RefuseZeroPoint(const schema::QuantizedLayer& layer) {
  if (layer.zero_point() == 0 && layer.output_zero_point() == 0) return {};
  return Unsupported("8-bit numbers whose zero is {} and {} are not read; 0 is", layer.zero_point(),
                     layer.output_zero_point());
}

// Real numbers as 8-bit ones between the limits of the layer.
ValueId Quantized(OpImport& ctx, ValueId real, const Scale& scale,
                  const schema::QuantizedLayer& layer) {
  if (!ctx.problem().ok()) return kNoValue;
  ValueId zero = ctx.Constant(Tensor::Scalar<std::int8_t>(0));
  if (!scale.attributes.empty()) {
    const Tensor* scales = ctx.graph.Constant(scale.value);
    zero = ctx.Constant(Tensor::FromVector<std::int8_t>(
        scales->dims(), std::vector<std::int8_t>(static_cast<std::size_t>(scales->count()), 0)));
  }
  const ValueId y = ctx.Op("QuantizeLinear", {real, scale.value, zero}, scale.attributes);
  if (layer.clamp_min() == -128 && layer.clamp_max() == 127) return y;
  return ctx.Op("Clip", {y, ctx.Constant(Tensor::Scalar<std::int8_t>(layer.clamp_min())),
                         ctx.Constant(Tensor::Scalar<std::int8_t>(layer.clamp_max()))});
}

std::vector<float> Inverted(std::vector<float> values) {
  for (float& value : values) value = 1 / value;
  return values;
}

// The file has the factor from real numbers to 8-bit ones.
Status FloatToInt8(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_QuantizedFloatParam()));
  ATH_RETURN_IF_ERROR(RefuseZeroPoint(*layer));
  const Scale scale = ScaleOf(ctx, Inverted(ctx.List(layer->tensor_scale())));
  return ctx.Give(Quantized(ctx, ctx.In(), scale, *layer));
}

Status Int8ToFloat(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_QuantizedFloatParam()));
  ATH_RETURN_IF_ERROR(RefuseZeroPoint(*layer));
  return ctx.Give(Dequantized(ctx, ctx.In(), ScaleOf(ctx, ctx.List(layer->tensor_scale()))));
}

// Both inputs are added, whatever type the file says: MNN has no other arithmetic on 8 bits.
Status EltwiseInt8(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_EltwiseInt8()));
  ATH_TRY(const auto* output, Given(layer->output()));
  ValueId real[2];
  for (std::size_t i = 0; i < 2; ++i) {
    ATH_TRY(const auto* input, Given(i == 0 ? layer->input0() : layer->input1()));
    real[i] = Dequantized(ctx, ctx.In(i), ScaleOf(ctx, ctx.List(input->tensor_scale())));
  }
  const Scale scale = ScaleOf(ctx, Inverted(ctx.List(output->tensor_scale())));
  return ctx.Give(Quantized(ctx, ctx.Op("Add", {real[0], real[1]}), scale, *output));
}

// Filters of 8 bits whose factors take a sum of products to the 8-bit result, and 32-bit biases of
// such sums: inputs and results have a scale of 1.
Status ConvolveInt8(OpImport& ctx, bool depthwise) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Convolution2D()));
  ATH_TRY(const auto* common, Given(layer->common()));
  if (layer->symmetric() == nullptr || layer->symmetric()->weight() == nullptr)
    return depthwise ? ConvolutionDepthwise(ctx) : Convolution(ctx);
  const schema::QuantizedLayer& quantized = *layer->symmetric();
  ATH_RETURN_IF_ERROR(RefuseZeroPoint(quantized));
  ATH_TRY(const ConvolutionShape shape, ShapeOf(ctx, *common, depthwise));
  const std::vector<float> factors = ctx.List(quantized.scale());
  ATH_RETURN_IF_ERROR(ctx.problem());
  const auto filters = static_cast<std::size_t>(shape.weights[0]);
  if (CheckedCount(shape.weights) != std::int64_t{quantized.weight()->size()} ||
      factors.size() != filters || quantized.bias() == nullptr ||
      quantized.bias()->size() != filters)
    return InvalidModel("{} weights and {} factors for filters of {}", quantized.weight()->size(),
                        factors.size(), ToString(shape.weights));
  ATH_TRY(Tensor weights, ctx.net.weights.Bytes(quantized.weight(), shape.weights));
  std::vector<float> bias;
  for (std::size_t i = 0; i < filters; ++i)
    bias.push_back(
        static_cast<float>(quantized.bias()->Get(static_cast<flatbuffers::uoffset_t>(i))) *
        factors[i]);
  const Dims count = {shape.weights[0]};
  const ValueId w =
      ctx.Op("DequantizeLinear", {ctx.Constant(std::move(weights)), ctx.Floats(count, factors)},
             {{"axis", std::int64_t{0}}});
  const Scale one = {ctx.Scalar(1)};
  const ValueId y = ctx.Op("Conv", {Dequantized(ctx, ctx.In(), one), w, ctx.Floats(count, bias)},
                           shape.attributes);
  return ctx.Give(Quantized(ctx, ctx.Activated(y, common->relu(), false), one, quantized));
}

Status ConvInt8(OpImport& ctx) { return ConvolveInt8(ctx, false); }
Status DepthwiseConvInt8(OpImport& ctx) { return ConvolveInt8(ctx, true); }

}  // namespace

// clang-format off
std::vector<Row> QuantRows() {
  return {
      {schema::OpType_ConvInt8, 1, 1, ConvInt8},
      {schema::OpType_Int8ToFloat, 1, 1, Int8ToFloat},
      {schema::OpType_DepthwiseConvInt8, 1, 1, DepthwiseConvInt8},
      {schema::OpType_FloatToInt8, 1, 1, FloatToInt8},
      {schema::OpType_EltwiseInt8, 2, 2, EltwiseInt8},
  };
}
// clang-format on

}  // namespace athanor::mnn
