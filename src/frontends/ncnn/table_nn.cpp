// Layers with weights, pooling and normalisation.
#include <algorithm>
#include <cmath>

#include "core/checked.h"
#include "frontends/ncnn/layer_import.h"
#include "frontends/ncnn/window.h"

namespace athanor::ncnn {
namespace {

// The ids that say how many numbers a layer has.
struct Filters {
  std::int64_t out = 0, in_per_group = 0, group = 1;
};

Result<Filters> ReadFilters(const LayerImport& ctx, std::int64_t group, std::int64_t window) {
  const std::int64_t out = ctx.Int(0, 0), size = ctx.Int(6, 0);
  if (out < 1 || size < 1 || group < 1 || out % group != 0)
    return InvalidModel("{} filters in {} groups with {} weights make no sense", out, group, size);
  const std::optional<std::int64_t> unit = CheckedMul(out, window);
  if (!unit || size % *unit != 0)
    return InvalidModel("{} weights cannot be divided among {} filters of {}", size, out, window);
  return Filters{out, size / *unit, group};
}

Status RefuseInt8(const LayerImport& ctx) {
  if (ctx.Int(8, 0) == 0) return {};
  return Unsupported("8-bit transposed convolutions are not read; f32, f16 and table weights are")
      .Fix("take the network from before ncnn2int8 and quantise it with athanor quantize");
}

// Weights, bias and, of a layer on 8 bits, the scales of what it reads and gives.
struct Weights {
  std::vector<ValueId> values;  // the weight, then the bias when there is one
  float in_scale = 0;           // integers of a real number 1; 0: real numbers
  float out_scale = 0;
};

// A number of 8 bits as ncnn rounds: halves away from 0, and never -128.
std::int8_t ToByte(float value) {
  if (std::isnan(value)) return 0;
  return static_cast<std::int8_t>(std::clamp(std::round(value), -127.0F, 127.0F));
}

Result<float> ReadScale(LayerImport& ctx) {
  ATH_TRY(const Tensor scale, ctx.weights.Raw({1}));
  const float value = scale.Data<float>()[0];
  // The inverse must be a scale as well.
  if (!(value > 1e-30F) || !(value < 1e30F))
    return InvalidModel("a scale of {}; a positive number is expected", value);
  return value;
}

// i8 weights whose output channel c has scale c * count / channels of the file's, as real numbers.
// A scale of 0 stands for a channel of zeros.
Result<ValueId> RealWeights(LayerImport& ctx, const Tensor& stored, const Tensor& file_scales) {
  const std::int64_t channels = stored.dim(0);
  const auto each = static_cast<std::size_t>(stored.count() / channels);
  const auto given = file_scales.Data<float>();
  std::vector<float> scales;
  for (std::int64_t c = 0; c < channels; ++c)
    scales.push_back(given[static_cast<std::size_t>(c * std::ssize(given) / channels)]);
  std::vector<std::int8_t> bytes(static_cast<std::size_t>(stored.count()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const float scale = scales[i / each];
    if (scale == 0) continue;
    bytes[i] = stored.dtype() == DType::kI8 ? stored.Data<std::int8_t>()[i]
                                            : ToByte(stored.Data<float>()[i] * scale);
  }
  for (float& scale : scales) {
    if (!(scale >= 0) || (scale > 0 && !(scale > 1e-30F && scale < 1e30F)))
      return InvalidModel("a weight's scale is {}; a positive number is expected", scale);
    scale = scale == 0 ? 1.0F : 1 / scale;
  }
  const ValueId integers = ctx.Constant(Tensor::FromVector(stored.dims(), bytes));
  return ctx.Add("DequantizeLinear",
                 {integers, ctx.Constant(Tensor::FromVector({channels}, scales))},
                 {{"axis", std::int64_t{0}}});
}

// Real numbers by way of integers of 8 bits; a scale of 0 leaves them as they are.
Result<ValueId> Rounded(LayerImport& ctx, ValueId x, float scale) {
  if (scale == 0) return x;
  const float most = 127 / scale;
  ATH_TRY(const ValueId within, ctx.Add("Clip", {x, ctx.Scalar(-most), ctx.Scalar(most)}));
  const ValueId step = ctx.Scalar(1 / scale);
  const ValueId zero = ctx.Constant(Tensor::Scalar(std::int8_t{0}));
  ATH_TRY(const ValueId integers, ctx.Add("QuantizeLinear", {within, step, zero}));
  return ctx.Add("DequantizeLinear", {integers, step, zero});
}

// Parameter 8, int8_scale_term: 0 for a layer on real numbers, above 100 where the result is
// rounded too. `scales`: how many the weights have then.
Result<Weights> ReadWeights(LayerImport& ctx, Dims dims, std::int64_t out, int bias_id,
                            std::int64_t scales) {
  const std::int64_t term = ctx.Int(8, 0);
  if (term < 0) return InvalidModel("int8_scale_term is {}; 0 and above have a meaning", term);
  Weights weights;
  ATH_TRY(Tensor weight, term == 0 ? ctx.weights.Marked(std::move(dims))
                                   : ctx.weights.MarkedOrBytes(std::move(dims)));
  ValueId bias = kNoValue;
  if (ctx.Int(bias_id, 0) != 0) {
    ATH_TRY(Tensor numbers, ctx.weights.Raw({out}));
    bias = ctx.Constant(std::move(numbers));
  }
  if (term == 0) {
    weights.values = {ctx.Constant(std::move(weight))};
  } else {
    ATH_TRY(const Tensor weight_scales, ctx.weights.Raw({scales}));
    ATH_TRY(const ValueId real, RealWeights(ctx, weight, weight_scales));
    weights.values = {real};
    ATH_TRY(weights.in_scale, ReadScale(ctx));
    if (term > 100) {
      ATH_TRY(weights.out_scale, ReadScale(ctx));
    }
  }
  if (bias != kNoValue) weights.values.push_back(bias);
  return weights;
}

Status Finish(LayerImport& ctx, Result<ValueId> y, const Weights& weights) {
  ATH_TRY(ValueId value, std::move(y));
  ATH_TRY(value, ctx.Activate(value));
  return ctx.Give(Rounded(ctx, value, weights.out_scale));
}

// x W^T + b for x [N, in]
Result<ValueId> Multiply(LayerImport& ctx, ValueId x, const std::vector<ValueId>& weights) {
  std::vector<ValueId> in = {x};
  in.insert(in.end(), weights.begin(), weights.end());
  return ctx.Add("Gemm", in, {{"transB", std::int64_t{1}}});
}

Status Conv(LayerImport& ctx) {
  if (ctx.Int(19, 0) != 0) return Unsupported("weights that are an input are not read");
  if (ctx.Float(18, 0) != 0) return Unsupported("a pad value other than 0 is not read");
  ATH_TRY(const Window window, ReadWindow(ctx));
  const std::int64_t area = window.kernel[0] * window.kernel[1];
  const std::int64_t group = ctx.layer.type == "ConvolutionDepthWise" ? ctx.Int(7, 1) : 1;
  ATH_TRY(const Filters filters, ReadFilters(ctx, group, area));
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  // A window of 1 on a blob of one axis is a matrix product.
  const bool flat = rank == 1 && area == 1 && group == 1;
  Dims dims = {filters.out, filters.in_per_group};
  if (!flat) dims.insert(dims.end(), window.kernel.begin(), window.kernel.end());
  // By groups in depthwise layers, where 2 stands for one scale of all.
  const bool one_scale = ctx.Int(8, 0) % 100 == 2;
  const std::int64_t scales = ctx.layer.type == "Convolution" ? filters.out : one_scale ? 1 : group;
  ATH_TRY(const Weights weights, ReadWeights(ctx, std::move(dims), filters.out, 5, scales));
  ATH_TRY(const ValueId x, Rounded(ctx, ctx.In(), weights.in_scale));
  if (flat) return Finish(ctx, Multiply(ctx, x, weights.values), weights);
  std::vector<ValueId> in = {x};
  in.insert(in.end(), weights.values.begin(), weights.values.end());
  AttrMap attributes = window.Attributes();
  attributes.Set("group", group);
  return Finish(ctx, ctx.Add("Conv", in, std::move(attributes)), weights);
}

// [group, out, in, area] -> [group, in, out, area]
Result<Tensor> SwapFilters(const Tensor& from, std::int64_t group, std::int64_t out,
                           std::int64_t in, std::int64_t area, Dims dims) {
  ATH_TRY(Tensor to, Tensor::Allocate(DType::kF32, std::move(dims)));
  const float* source = from.Data<float>().data();
  float* target = to.MutableData<float>().data();
  for (std::int64_t g = 0; g < group; ++g) {
    for (std::int64_t i = 0; i < in; ++i) {
      for (std::int64_t o = 0; o < out; ++o) {
        target = std::copy_n(source + ((g * out + o) * in + i) * area, area, target);
      }
    }
  }
  return to;
}

Status Deconv(LayerImport& ctx) {
  ATH_RETURN_IF_ERROR(RefuseInt8(ctx));
  if (ctx.Int(20, 0) != 0 || ctx.Int(21, 0) != 0)
    return Unsupported("a given output size is not read; pads are");
  ATH_TRY(const Window window, ReadWindow(ctx));
  if (window.auto_pad != "NOTSET")
    return Unsupported("pads that follow from the size are not read");
  const std::int64_t area = window.kernel[0] * window.kernel[1];
  const std::int64_t group = ctx.layer.type == "DeconvolutionDepthWise" ? ctx.Int(7, 1) : 1;
  ATH_TRY(const Filters filters, ReadFilters(ctx, group, area));
  const std::int64_t out = filters.out / group, in = filters.in_per_group;
  ATH_TRY(const Tensor stored, ctx.weights.Marked({filters.out, in, area}));
  ATH_TRY(Tensor weight, SwapFilters(stored, group, out, in, area,
                                     {group * in, out, window.kernel[0], window.kernel[1]}));
  std::vector<ValueId> inputs = {ctx.In(), ctx.Constant(std::move(weight))};
  if (ctx.Int(5, 0) != 0) {
    ATH_TRY(Tensor bias, ctx.weights.Raw({filters.out}));
    inputs.push_back(ctx.Constant(std::move(bias)));
  }
  AttrMap attributes = window.Attributes();
  attributes.Set("group", group);
  const std::int64_t right = ctx.Int(18, 0);
  attributes.Set("output_padding", std::vector<std::int64_t>{ctx.Int(19, right), right});
  ATH_TRY(const ValueId y, ctx.Add("ConvTranspose", inputs, std::move(attributes)));
  return ctx.Give(ctx.Activate(y));
}

Status InnerProduct(LayerImport& ctx) {
  const std::int64_t out = ctx.Int(0, 0), size = ctx.Int(2, 0);
  if (out < 1 || size < 1 || size % out != 0)
    return InvalidModel("{} weights cannot be divided among {} outputs", size, out);
  if (ctx.Int(8, 0) > 100)
    return Unsupported("int8_scale_term is {}; only convolutions round their results",
                       ctx.Int(8, 0));
  const std::int64_t in = size / out;
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(const Weights weights, ReadWeights(ctx, {out, in}, out, 1, out));
  ATH_TRY(ValueId x, Rounded(ctx, ctx.In(), weights.in_scale));
  // A blob of rows as long as the weight's is a batch of rows; anything else is one long row.
  const bool rows = rank == 2 && ctx.InType().dim(2).Is(in) && !ctx.InType().dim(1).Is(1);
  if (rows) {
    ATH_TRY(const ValueId columns, ctx.Add("Transpose", {weights.values[0]}));
    ATH_TRY(x, ctx.Add("MatMul", {x, columns}));
    if (weights.values.size() > 1) {
      ATH_TRY(x, ctx.Add("Add", {x, weights.values[1]}));
    }
    return Finish(ctx, x, weights);
  }
  if (rank > 1) {
    ATH_TRY(x, ctx.Add("Flatten", {x}));
  }
  return Finish(ctx, Multiply(ctx, x, weights.values), weights);
}

// Whether the last window may lie outside everything but the filling that rounding up adds: such
// windows exist in ncnn and not in the operators here.
bool MayFillBeyondPads(const Window& window) {
  for (std::size_t a = 0; a < 2; ++a) {
    if (window.pads[a + 2] + window.strides[a] > window.kernel[a]) return true;
  }
  return false;
}

// With known sizes, the filling that makes the last window whole becomes part of the pads.
bool FillWithPads(const Type& x, Window& window) {
  if (!x.HasRank() || x.rank() != 4 || !x.dim(2).IsConst() || !x.dim(3).IsConst()) return false;
  for (std::size_t a = 0; a < 2; ++a) {
    const std::int64_t size = x.dim(static_cast<std::int64_t>(a) + 2).value();
    const std::int64_t left = size + window.pads[a] + window.pads[a + 2] - window.kernel[a];
    if (left < 0) return false;
    window.pads[a + 2] += (window.strides[a] - left % window.strides[a]) % window.strides[a];
  }
  return true;
}

Status AdaptivePool(LayerImport& ctx, bool max) {
  const std::int64_t width = ctx.Int(8, 0), height = ctx.Int(18, width);
  if (width == 1 && height == 1)
    return ctx.Give(ctx.Add(max ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
  const Type& x = ctx.InType();
  std::vector<std::int64_t> kernel;
  for (const auto& [axis, size] : {std::pair(2, height), std::pair(3, width)}) {
    const bool keep = size == -233;
    if (!keep && (size < 1 || !x.HasRank() || x.rank() != 4 || !x.dim(axis).IsConst() ||
                  x.dim(axis).value() % size != 0))
      return Unsupported("adaptive pooling is read where the output's size divides the input's");
    kernel.push_back(keep ? 1 : x.dim(axis).value() / size);
  }
  return ctx.Give(ctx.Add(max ? "MaxPool" : "AveragePool", {ctx.In()},
                          {{"kernel_shape", kernel}, {"strides", kernel}}));
}

Status Pooling(LayerImport& ctx) {
  enum PadMode : std::int64_t { kFull, kValid, kSameUpper, kSameLower };
  const std::int64_t type = ctx.Int(0, 0), mode = ctx.Int(5, kFull);
  if (type != 0 && type != 1) return Unsupported("pooling {} is not known; 0 and 1 are", type);
  const bool max = type == 0;
  if (ctx.Int(4, 0) != 0) {
    ATH_TRY(const ValueId y, ctx.Add(max ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
    return ctx.Give(ctx.Add("Flatten", {y}));
  }
  if (ctx.Int(7, 0) != 0) return AdaptivePool(ctx, max);
  if (mode < kFull || mode > kSameLower)
    return Unsupported("pad mode {} is not known; 0 to 3 are", mode);
  ATH_TRY(Window window, ReadWindow(ctx, {.stride = 2,
                                          .dilation = -1,
                                          .pad_left = 3,
                                          .pad_top = 13,
                                          .pad_right = 14,
                                          .pad_bottom = 15}));
  if (mode >= kSameUpper) window.auto_pad = mode == kSameUpper ? "SAME_UPPER" : "SAME_LOWER";
  const bool count_pads = !max && ctx.Int(6, 0) != 0;
  bool ceil = false;
  if (mode == kFull && (max || count_pads) && FillWithPads(ctx.InType(), window)) {
    // exact
  } else if (mode == kFull) {
    ceil = window.strides != std::vector<std::int64_t>{1, 1};
    if (ceil && (count_pads || MayFillBeyondPads(window)))
      return Unsupported("this rounding of the output's size needs an input of known size");
  }
  AttrMap attributes = window.Attributes();
  attributes.Set("ceil_mode", std::int64_t{ceil});
  if (count_pads) attributes.Set("count_include_pad", std::int64_t{1});
  return ctx.Give(ctx.Add(max ? "MaxPool" : "AveragePool", {ctx.In()}, std::move(attributes)));
}

Result<std::int64_t> Channels(const LayerImport& ctx, int id) {
  const std::int64_t channels = ctx.Int(id, 0);
  if (channels < 1) return InvalidModel("{} channels make no sense", channels);
  return channels;
}

Status BatchNorm(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 0));
  ATH_TRY(Tensor slope, ctx.weights.Raw({channels}));
  ATH_TRY(Tensor mean, ctx.weights.Raw({channels}));
  ATH_TRY(Tensor variance, ctx.weights.Raw({channels}));
  ATH_TRY(Tensor bias, ctx.weights.Raw({channels}));
  return ctx.Give(ctx.Add("BatchNormalization",
                          {ctx.In(), ctx.Constant(slope), ctx.Constant(bias), ctx.Constant(mean),
                           ctx.Constant(variance)},
                          {{"epsilon", ctx.Float(1, 0)}}));
}

Status Bias(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 0));
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(Tensor bias, ctx.weights.Raw({channels}));
  ATH_TRY(const ValueId column, ctx.PerChannel(bias, rank));
  return ctx.Give(ctx.Add("Add", {ctx.In(), column}));
}

Status Scale(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 0));
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(Tensor scale, ctx.weights.Raw({channels}));
  ATH_TRY(const ValueId factor, ctx.PerChannel(scale, rank));
  ATH_TRY(const ValueId y, ctx.Add("Mul", {ctx.In(), factor}));
  if (ctx.Int(1, 0) == 0) return ctx.Give(y);
  ATH_TRY(Tensor bias, ctx.weights.Raw({channels}));
  ATH_TRY(const ValueId shift, ctx.PerChannel(bias, rank));
  return ctx.Give(ctx.Add("Add", {y, shift}));
}

// Scale and shift of a normalisation; ones and zeros when the file has none.
Result<std::vector<ValueId>> Affine(LayerImport& ctx, std::int64_t count, int affine_id) {
  std::vector<ValueId> values;
  for (const float otherwise : {1.0F, 0.0F}) {
    if (ctx.Int(affine_id, 1) != 0) {
      ATH_TRY(Tensor stored, ctx.weights.Raw({count}));
      values.push_back(ctx.Constant(std::move(stored)));
      continue;
    }
    ATH_TRY(Tensor filled, ctx.weights.Implied(count, otherwise));
    values.push_back(ctx.Constant(std::move(filled)));
  }
  return values;
}

Status GroupNorm(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 1));
  ATH_TRY(const std::vector<ValueId> affine, Affine(ctx, channels, 3));
  return ctx.Give(ctx.Add("GroupNormalization", {ctx.In(), affine[0], affine[1]},
                          {{"num_groups", ctx.Int(0, 1)}, {"epsilon", ctx.Float(2, 0.001F)}}));
}

Status InstanceNorm(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 0));
  ATH_TRY(const std::vector<ValueId> affine, Affine(ctx, channels, 2));
  return ctx.Give(ctx.Add("InstanceNormalization", {ctx.In(), affine[0], affine[1]},
                          {{"epsilon", ctx.Float(1, 0.001F)}}));
}

Status LayerNorm(LayerImport& ctx) {
  ATH_TRY(const std::int64_t size, Channels(ctx, 0));
  ATH_TRY(const std::vector<ValueId> affine, Affine(ctx, size, 2));
  const Type& x = ctx.InType();
  if (!x.HasRank() || !x.dim(x.rank() - 1).Is(size))
    return Unsupported("normalisation over more than the last axis is not read");
  return ctx.Give(ctx.Add("LayerNormalization", {ctx.In(), affine[0], affine[1]},
                          {{"epsilon", ctx.Float(1, 0.001F)}}));
}

Status LocalResponseNorm(LayerImport& ctx) {
  if (ctx.Int(0, 0) != 0) return Unsupported("only normalisation across channels is read");
  return ctx.Give(ctx.Add("LRN", {ctx.In()},
                          {{"size", ctx.Int(1, 5)},
                           {"alpha", ctx.Float(2, 1)},
                           {"beta", ctx.Float(3, 0.75F)},
                           {"bias", ctx.Float(4, 1)}}));
}

Status PRelu(LayerImport& ctx) {
  ATH_TRY(const std::int64_t channels, Channels(ctx, 0));
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(Tensor slope, ctx.weights.Raw({channels}));
  ATH_TRY(const ValueId column, ctx.PerChannel(slope, rank));
  return ctx.Give(ctx.Add("PRelu", {ctx.In(), column}));
}

}  // namespace

std::vector<Row> NnRows() {
  return {
      {"BatchNorm", 1, 1, BatchNorm},       {"Bias", 1, 1, Bias},
      {"Convolution", 1, 1, Conv},          {"ConvolutionDepthWise", 1, 1, Conv},
      {"Deconvolution", 1, 1, Deconv},      {"DeconvolutionDepthWise", 1, 1, Deconv},
      {"GroupNorm", 1, 1, GroupNorm},       {"InnerProduct", 1, 1, InnerProduct},
      {"InstanceNorm", 1, 1, InstanceNorm}, {"LRN", 1, 1, LocalResponseNorm},
      {"LayerNorm", 1, 1, LayerNorm},       {"PReLU", 1, 1, PRelu},
      {"Pooling", 1, 1, Pooling},           {"Scale", 1, 1, Scale},
  };
}

}  // namespace athanor::ncnn
