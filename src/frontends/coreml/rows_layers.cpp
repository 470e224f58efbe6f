// Layers with weights and windows: convolution, pooling, products, normalisation, resizing.
#include <algorithm>

#include "frontends/coreml/layer_import.h"

namespace athanor::coreml {
namespace {

struct Convolution {
  std::int64_t output_channels = 0, kernel_channels = 0, groups = 0;
  IntList kernel, stride, dilation, output_shape;
  std::optional<ValidPadding> valid;
  std::optional<OneInt> same;
  bool is_transposed = false, has_bias = false;
  WeightParams weights, bias;
  template <class V>
  void Fields(V& v) {
    v(1, output_channels), v(2, kernel_channels), v(10, groups), v(20, kernel), v(30, stride);
    v(40, dilation), v(50, valid), v(51, same), v(60, is_transposed), v(70, has_bias);
    v(90, weights), v(91, bias), v(100, output_shape);
  }
};

struct CompletePadding {
  IntList amounts;
  template <class V>
  void Fields(V& v) {
    v(10, amounts);
  }
};

struct Pooling {
  std::int64_t type = 0;
  IntList kernel, stride;
  std::optional<ValidPadding> valid;
  std::optional<OneInt> same;
  std::optional<CompletePadding> complete;
  bool excludes_padding = false, is_global = false;
  template <class V>
  void Fields(V& v) {
    v(1, type), v(10, kernel), v(20, stride), v(30, valid), v(31, same), v(32, complete);
    v(50, excludes_padding), v(60, is_global);
  }
};

struct InnerProduct {
  std::int64_t inputs = 0, outputs = 0;
  bool has_bias = false;
  WeightParams weights, bias;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(2, outputs), v(10, has_bias), v(20, weights), v(21, bias);
  }
};

struct EmbeddingNd {
  std::int64_t words = 0, size = 0;
  bool has_bias = false;
  WeightParams weights, bias;
  template <class V>
  void Fields(V& v) {
    v(1, words), v(2, size), v(3, has_bias), v(20, weights), v(21, bias);
  }
};

struct BatchedProduct {
  bool transpose_a = false, transpose_b = false, has_bias = false;
  std::int64_t rows = 0, columns = 0;
  WeightParams weights, bias;
  template <class V>
  void Fields(V& v) {
    v(1, transpose_a), v(2, transpose_b), v(5, rows), v(6, columns), v(7, has_bias);
    v(8, weights), v(9, bias);
  }
};

struct BatchNorm {
  std::int64_t channels = 0;
  bool computes = false, is_instance = false;
  float epsilon = 0;
  WeightParams gamma, beta, mean, variance;
  template <class V>
  void Fields(V& v) {
    v(1, channels), v(5, computes), v(6, is_instance), v(10, epsilon);
    v(15, gamma), v(16, beta), v(17, mean), v(18, variance);
  }
};

struct MeanVarianceNorm {
  bool across_channels = false, normalizes_variance = false;
  float epsilon = 0;
  template <class V>
  void Fields(V& v) {
    v(1, across_channels), v(2, normalizes_variance), v(3, epsilon);
  }
};

struct LayerNorm {
  IntList shape;
  float epsilon = 0;
  WeightParams gamma, beta;
  template <class V>
  void Fields(V& v) {
    v(1, shape), v(2, epsilon), v(3, gamma), v(4, beta);
  }
};

struct ResponseNorm {
  float alpha = 0, beta = 0, k = 0;
  std::int64_t size = 0;
  template <class V>
  void Fields(V& v) {
    v(1, alpha), v(2, beta), v(3, size), v(4, k);
  }
};

struct ShapedWeights {  // of loadConstant and bias too
  IntList shape;
  WeightParams values;
  template <class V>
  void Fields(V& v) {
    v(1, shape), v(2, values);
  }
};

struct ScaleLayer {
  IntList shape, bias_shape;
  WeightParams scale, bias;
  bool has_bias = false;
  template <class V>
  void Fields(V& v) {
    v(1, shape), v(2, scale), v(3, has_bias), v(4, bias_shape), v(5, bias);
  }
};

struct Upsample {
  IntList factors;
  std::vector<float> fractions;
  std::int64_t mode = 0, grid = 0;
  template <class V>
  void Fields(V& v) {
    v(1, factors), v(5, mode), v(6, grid), v(7, fractions);
  }
};

struct ResizeBilinear {
  IntList size;
  OneInt mode;
  template <class V>
  void Fields(V& v) {
    v(1, size), v(2, mode);
  }
};

float EpsilonOr(float epsilon, float otherwise) { return epsilon == 0 ? otherwise : epsilon; }

// ---- windows

// Begins, then ends, of height and width.
IntList PadsOf(LayerImport& ctx, const std::optional<ValidPadding>& valid) {
  IntList pads(4, 0);
  if (!valid || valid->amounts.edges.empty()) return pads;
  const std::vector<EdgeSizes>& edges = valid->amounts.edges;
  if (!ctx.Expect(edges.size() == 2, "pads of {} axes; height and width are wanted", edges.size()))
    return pads;
  return {ctx.Size(edges[0].begin, "a pad", 0), ctx.Size(edges[1].begin, "a pad", 0),
          ctx.Size(edges[0].end, "a pad", 0), ctx.Size(edges[1].end, "a pad", 0)};
}

// "SAME_UPPER": more at the end, where the number of added elements is odd.
std::string SameMode(LayerImport& ctx, const OneInt& same) {
  ctx.Expect(same.value == 0 || same.value == 1, "mode {} of same padding is not read", same.value);
  return same.value == 0 ? "SAME_UPPER" : "SAME_LOWER";
}

// As many outputs as inputs times the stride: where the window is smaller, zeros follow.
void PadSameTransposed(LayerImport& ctx, const Convolution& p, const IntList& kernel,
                       const IntList& stride, IntList& pads, IntList& more) {
  const bool more_at_end = SameMode(ctx, *p.same) == "SAME_UPPER";
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t total = std::max<std::int64_t>(kernel[i] - stride[i], 0);
    more[i] = std::max<std::int64_t>(stride[i] - kernel[i], 0);
    pads[i] = more_at_end ? total / 2 : total - total / 2;
    pads[i + 2] = total - pads[i];
  }
}

ValueId Transposed(LayerImport& ctx, const Convolution& p, const std::vector<ValueId>& weights,
                   AttrMap attributes, ValueId x) {
  const IntList kernel = ctx.Sizes(p.kernel, 2, 3, "kernelSize"),
                stride = ctx.Sizes(p.stride, 2, 1, "stride");
  IntList pads = PadsOf(ctx, p.valid), more = {0, 0};
  if (p.same) PadSameTransposed(ctx, p, kernel, stride, pads, more);
  for (std::size_t i = 0; i < p.output_shape.size() && ctx.ok(); ++i) {
    if (!ctx.Expect(p.output_shape.size() == 2, "outputShape has {} numbers",
                    p.output_shape.size()))
      break;
    const std::int64_t in = ctx.Static(x, static_cast<std::int64_t>(i) + 2);
    const std::int64_t out = stride[i] * (in - 1) + kernel[i] - pads[i] - pads[i + 2] + more[i];
    ctx.Expect(out == p.output_shape[i],
               "outputShape {} is read where it follows from the padding, which gives {}",
               p.output_shape[i], out);
  }
  attributes.Set("strides", stride);
  attributes.Set("pads", pads);
  attributes.Set("output_padding", more);
  std::vector<ValueId> inputs = weights;
  inputs.insert(inputs.begin(), x);
  return ctx.Op("ConvTranspose", inputs, std::move(attributes));
}

void ConvolutionLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<Convolution>();
  const std::int64_t out = ctx.Size(p.output_channels, "outputChannels"),
                     in = ctx.Size(p.kernel_channels, "kernelChannels"),
                     groups = p.groups == 0 ? 1 : ctx.Size(p.groups, "nGroups");
  const IntList kernel = ctx.Sizes(p.kernel, 2, 3, "kernelSize");
  if (!ctx.Expect(out % groups == 0, "{} channels in {} groups", out, groups)) return;
  const Dims dims = p.is_transposed ? Dims{in, out / groups, kernel[0], kernel[1]}
                                    : Dims{out, in, kernel[0], kernel[1]};
  std::vector<ValueId> weights = {
      ctx.WeightValue(p.weights, dims, "weights", p.is_transposed ? 1 : 0)};
  if (p.has_bias) weights.push_back(ctx.WeightValue(p.bias, {out}, "bias"));
  AttrMap attributes = {{"kernel_shape", kernel}, {"group", groups}};
  if (!p.is_transposed) {
    attributes.Set("strides", ctx.Sizes(p.stride, 2, 1, "stride"));
    attributes.Set("dilations", ctx.Sizes(p.dilation, 2, 1, "dilationFactor"));
    if (p.same) attributes.Set("auto_pad", SameMode(ctx, *p.same));
    if (!p.same) attributes.Set("pads", PadsOf(ctx, p.valid));
  }
  ctx.Give(ctx.WithFourAxes(ctx.In(), [&](ValueId x) {
    if (p.is_transposed) return Transposed(ctx, p, weights, attributes, x);
    std::vector<ValueId> inputs = weights;
    inputs.insert(inputs.begin(), x);
    return ctx.Op("Conv", inputs, attributes);
  }));
}

enum PoolingType : std::int64_t { kMaxPooling, kAveragePooling, kL2Pooling };

ValueId GlobalPool(LayerImport& ctx, std::int64_t type, ValueId x) {
  if (type == kMaxPooling) return ctx.Op("GlobalMaxPool", {x});
  if (type == kAveragePooling) return ctx.Op("GlobalAveragePool", {x});
  return ctx.Op("GlobalLpPool", {x}, {{"p", std::int64_t{2}}});
}

void PoolingLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<Pooling>();
  if (!ctx.Expect(p.type >= kMaxPooling && p.type <= kL2Pooling, "pooling {} is not read", p.type))
    return;
  AttrMap attributes;
  if (!p.is_global) {
    const IntList kernel = ctx.Sizes(p.kernel, 2, 3, "kernelSize"),
                  stride = ctx.Sizes(p.stride, 2, 1, "stride");
    attributes = {{"kernel_shape", kernel}, {"strides", stride}};
    if (p.same) {
      attributes.Set("auto_pad", SameMode(ctx, *p.same));
    } else if (p.complete) {
      const IntList pads = ctx.Sizes(p.complete->amounts, 2, 0, "paddingAmounts", 0);
      // The last window must lie within the input even where nothing is padded.
      for (std::size_t i = 0; i < 2; ++i)
        ctx.Expect(pads[0] + pads[1] > 0 || stride[i] <= kernel[i],
                   "a stride of {} for windows of {} with includeLastPixel", stride[i], kernel[i]);
      attributes.Set("pads", IntList{pads[0], pads[1], pads[0], pads[1]});
      attributes.Set("ceil_mode", std::int64_t{1});
    } else {
      attributes.Set("pads", PadsOf(ctx, p.valid));
    }
    if (p.type == kAveragePooling)
      attributes.Set("count_include_pad", std::int64_t{!p.excludes_padding});
    if (p.type == kL2Pooling) attributes.Set("p", std::int64_t{2});
  }
  static constexpr std::string_view kOps[] = {"MaxPool", "AveragePool", "LpPool"};
  ctx.Give(ctx.WithFourAxes(ctx.In(), [&](ValueId x) {
    return p.is_global ? GlobalPool(ctx, p.type, x) : ctx.Op(kOps[p.type], {x}, attributes);
  }));
}

// ---- products

ValueId AddBias(LayerImport& ctx, ValueId x, bool has_bias, const WeightParams& bias,
                std::int64_t size) {
  return has_bias ? ctx.Op("Add", {x, ctx.WeightValue(bias, {size}, "bias")}) : x;
}

// Up to three axes: the last one counts. More: the last three are one.
void InnerProductLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<InnerProduct>();
  const std::int64_t in = ctx.Size(p.inputs, "inputChannels"),
                     out = ctx.Size(p.outputs, "outputChannels");
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  const ValueId w = ctx.WeightValue(p.weights, {out, in}, "weights");
  if (rank <= 3) {
    const ValueId y = ctx.Op("MatMul", {x, ctx.Transpose(w, {1, 0})});
    return ctx.Give(AddBias(ctx, y, p.has_bias, p.bias, out));
  }
  std::vector<ValueId> inputs = {ctx.Op("Flatten", {x}, {{"axis", rank - 3}}), w};
  if (p.has_bias) inputs.push_back(ctx.WeightValue(p.bias, {out}, "bias"));
  const ValueId y = ctx.Op("Gemm", inputs, {{"transB", std::int64_t{1}}});
  if (rank == 4) return ctx.Give(ctx.Reshape(y, {0, out, 1, 1}));
  ctx.Give(
      ctx.Op("Reshape", {y, ctx.Join({ctx.ShapeOf(x, 0, rank - 3), ctx.Ints({out, 1, 1})}, 0)}));
}

// Rows of a table that the file keeps column by column.
ValueId Lookup(LayerImport& ctx, ValueId x, std::int64_t words, std::int64_t size,
               const WeightParams& weights) {
  const ValueId table = ctx.Transpose(ctx.WeightValue(weights, {size, words}, "weights"), {1, 0});
  return ctx.Op("Gather", {table, ctx.AsInts(x)}, {{"axis", std::int64_t{0}}});
}

void Embedding(LayerImport& ctx) {
  const auto p = ctx.Parameters<InnerProduct>();
  const std::int64_t words = ctx.Size(p.inputs, "inputDim"),
                     size = ctx.Size(p.outputs, "outputChannels");
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(rank >= 4, "an input of {} axes; 4 or 5 are wanted", rank)) return;
  ValueId y = Lookup(ctx, ctx.Squeeze(x, {rank - 3, rank - 2, rank - 1}), words, size, p.weights);
  y = AddBias(ctx, y, p.has_bias, p.bias, size);
  ctx.Give(ctx.Unsqueeze(y, {rank - 2, rank - 1}));
}

void EmbeddingOfLast(LayerImport& ctx) {
  const auto p = ctx.Parameters<EmbeddingNd>();
  const std::int64_t words = ctx.Size(p.words, "vocabSize"),
                     size = ctx.Size(p.size, "embeddingSize");
  const ValueId x = ctx.In();
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(rank >= 2, "an input of {} axes; 2 are wanted", rank)) return;
  const ValueId y = Lookup(ctx, ctx.Squeeze(x, {rank - 1}), words, size, p.weights);
  ctx.Give(AddBias(ctx, y, p.has_bias, p.bias, size));
}

ValueId SwapLast(LayerImport& ctx, ValueId x) {
  IntList perm = LayerImport::AllAxes(ctx.Rank(x));
  if (perm.size() < 2) return x;
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Transpose(x, perm);
}

void BatchedProductLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<BatchedProduct>();
  ValueId a = ctx.In();
  if (ctx.count() == 1) {
    const std::int64_t rows = ctx.Size(p.rows, "weightMatrixFirstDimension"),
                       columns = ctx.Size(p.columns, "weightMatrixSecondDimension");
    // Columns of the matrix lie one behind the other.
    const ValueId b = ctx.Transpose(ctx.WeightValue(p.weights, {columns, rows}, "weights"), {1, 0});
    return ctx.Give(AddBias(ctx, ctx.Op("MatMul", {a, b}), p.has_bias, p.bias, columns));
  }
  ValueId b = ctx.In(1);
  if (ctx.Rank(a) == 1) a = ctx.Unsqueeze(a, {0});
  if (ctx.Rank(b) == 1) b = ctx.Unsqueeze(b, {1});
  if (p.transpose_a) a = SwapLast(ctx, a);
  if (p.transpose_b) b = SwapLast(ctx, b);
  ctx.Give(ctx.Op("MatMul", {a, b}));
}

// Over the channels of vectors; of their directions alone, if asked.
void DotProduct(LayerImport& ctx) {
  const auto p = ctx.Parameters<OneInt>();
  const std::int64_t axis = ctx.FromEnd(ctx.In(), -3);
  const auto sum = [&](ValueId a, ValueId b) {
    return ctx.Reduce("ReduceSum", ctx.Op("Mul", {a, b}), {axis}, true);
  };
  const ValueId a = ctx.In(0), b = ctx.In(1), product = sum(a, b);
  if (p.value == 0) return ctx.Give(product);
  const ValueId lengths = ctx.Op("Sqrt", {ctx.Op("Mul", {sum(a, a), sum(b, b)})});
  ctx.Give(ctx.Op("Div", {product, lengths}));
}

// ---- normalisation

void BatchNormLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<BatchNorm>();
  const Dims dims = {ctx.Size(p.channels, "channels")};
  const AttrMap attributes = {{"epsilon", EpsilonOr(p.epsilon, 1e-5F)}};
  if (!ctx.Expect(p.computes == p.is_instance,
                  "statistics of a whole batch (computeMeanVar without instanceNormalization) are "
                  "not read"))
    return;
  std::vector<ValueId> inputs = {kNoValue, ctx.WeightValue(p.gamma, dims, "gamma"),
                                 ctx.WeightValue(p.beta, dims, "beta")};
  if (!p.computes) {
    inputs.push_back(ctx.WeightValue(p.mean, dims, "mean"));
    inputs.push_back(ctx.WeightValue(p.variance, dims, "variance"));
  }
  ctx.Give(ctx.WithFourAxes(ctx.In(), [&](ValueId x) {
    inputs[0] = x;
    return ctx.Op(p.computes ? "InstanceNormalization" : "BatchNormalization", inputs, attributes);
  }));
}

IntList LastAxes(LayerImport& ctx, ValueId x, std::int64_t count) {
  IntList axes;
  for (std::int64_t axis = ctx.FromEnd(x, -count); axis < ctx.Rank(x); ++axis) axes.push_back(axis);
  return axes;
}

void MeanVarianceNormLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<MeanVarianceNorm>();
  const ValueId x = ctx.In();
  const IntList axes = LastAxes(ctx, x, p.across_channels ? 3 : 2);
  const ValueId centred = ctx.Op("Sub", {x, ctx.Reduce("ReduceMean", x, axes, true)});
  if (!p.normalizes_variance) return ctx.Give(centred);
  const ValueId variance = ctx.Reduce("ReduceMean", ctx.Op("Mul", {centred, centred}), axes, true);
  const ValueId safe = ctx.Op("Add", {variance, ctx.Scalar(EpsilonOr(p.epsilon, 1e-6F))});
  ctx.Give(ctx.Op("Div", {centred, ctx.Op("Sqrt", {safe})}));
}

void L2Normalize(LayerImport& ctx) {
  const float epsilon = EpsilonOr(ctx.Parameters<OneReal>().value, 1e-6F);
  const ValueId x = ctx.In();
  const ValueId sum = ctx.Reduce("ReduceSumSquare", x, LastAxes(ctx, x, 3), true);
  ctx.Give(ctx.Op("Div", {x, ctx.Op("Sqrt", {ctx.Op("Add", {sum, ctx.Scalar(epsilon)})})}));
}

void LayerNormLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<LayerNorm>();
  const Dims shape = ctx.Sizes(p.shape, p.shape.size(), 1, "normalizedShape");
  if (!ctx.Expect(!shape.empty(), "normalizedShape is empty")) return;
  ctx.Give(ctx.Op(
      "LayerNormalization",
      {ctx.In(), ctx.WeightValue(p.gamma, shape, "gamma"), ctx.WeightValue(p.beta, shape, "beta")},
      {{"axis", -std::ssize(shape)}, {"epsilon", p.epsilon}}));
}

void ResponseNormLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<ResponseNorm>();
  const AttrMap attributes = {{"size", ctx.Size(p.size, "localSize")},
                              {"alpha", p.alpha},
                              {"beta", p.beta},
                              {"bias", EpsilonOr(p.k, 1)}};
  ctx.Give(ctx.WithFourAxes(ctx.In(), [&](ValueId x) { return ctx.Op("LRN", {x}, attributes); }));
}

void Softmax(LayerImport& ctx) {
  ctx.Give(ctx.Op("Softmax", {ctx.In()}, {{"axis", ctx.FromEnd(ctx.In(), -3)}}));
}

void SoftmaxAlong(LayerImport& ctx) {
  const std::int64_t axis = ctx.AxisOf(ctx.In(), ctx.Parameters<OneInt>().value);
  ctx.Give(ctx.Op("Softmax", {ctx.In()}, {{"axis", axis}}));
}

// ---- numbers beside the input

// [1], [C], [1, H, W] or [C, H, W], to be broadcast from channels on.
ValueId BroadcastWeights(LayerImport& ctx, const IntList& shape, const WeightParams& weights,
                         std::string_view what) {
  Dims dims = ctx.Sizes(shape, shape.size(), 1, what);
  if (!ctx.Expect(dims.size() == 1 || dims.size() == 3, "{} of {} axes", what, dims.size()))
    return kNoValue;
  dims.resize(3, 1);
  return ctx.WeightValue(weights, dims, what);
}

void Scale(LayerImport& ctx) {
  const auto p = ctx.Parameters<ScaleLayer>();
  const ValueId y = ctx.Op("Mul", {ctx.In(), BroadcastWeights(ctx, p.shape, p.scale, "scale")});
  ctx.Give(p.has_bias ? ctx.Op("Add", {y, BroadcastWeights(ctx, p.bias_shape, p.bias, "bias")})
                      : y);
}

void Bias(LayerImport& ctx) {
  const auto p = ctx.Parameters<ShapedWeights>();
  ctx.Give(ctx.Op("Add", {ctx.In(), BroadcastWeights(ctx, p.shape, p.values, "bias")}));
}

// [C, H, W]; old networks have more axes in front.
void LoadConstant(LayerImport& ctx) {
  const auto p = ctx.Parameters<ShapedWeights>();
  Dims dims = ctx.Sizes(p.shape, 3, 1, "shape");
  dims.insert(dims.begin(), ctx.form == Form::kMerged ? 1 : 2, 1);
  ctx.Give(ctx.WeightValue(p.values, dims, "data"));
}

void LoadConstantOfAnyRank(LayerImport& ctx) {
  const auto p = ctx.Parameters<ShapedWeights>();
  ctx.Give(ctx.WeightValue(p.values, ctx.Sizes(p.shape, p.shape.size(), 1, "shape", 0), "data"));
}

// ---- sizes of pictures

// The last two axes; `sizes` or `scales` are kNoValue.
ValueId Resized(LayerImport& ctx, ValueId scales, ValueId sizes, std::string_view mode,
                std::string_view grid) {
  const ValueId x = ctx.In();
  const IntList axes = LastAxes(ctx, x, 2);
  AttrMap attributes = {{"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string(grid)},
                        {"nearest_mode", std::string("floor")},
                        {"axes", axes}};
  std::vector<ValueId> inputs = {x, kNoValue, scales};
  if (sizes != kNoValue) inputs.push_back(sizes);
  return ctx.Op("Resize", inputs, std::move(attributes));
}

void UpsampleLayer(LayerImport& ctx) {
  const auto p = ctx.Parameters<Upsample>();
  std::vector<float> factors = p.fractions;
  if (factors.empty()) {
    for (const std::int64_t factor : ctx.Sizes(p.factors, 2, 1, "scalingFactor"))
      factors.push_back(static_cast<float>(factor));
  }
  if (!ctx.Expect(factors.size() == 2, "{} factors; 2 are wanted", factors.size())) return;
  static constexpr std::string_view kGrids[] = {"asymmetric", "align_corners", "half_pixel"};
  if (!ctx.Expect(p.mode == 0 || p.mode == 1, "mode {} of upsample is not read", p.mode) ||
      !ctx.Expect(p.grid >= 0 && p.grid <= 2, "mode {} of the grid is not read", p.grid))
    return;
  const ValueId scales = ctx.Floats({2}, factors);
  ctx.Give(p.mode == 0 ? Resized(ctx, scales, kNoValue, "nearest", "asymmetric")
                       : Resized(ctx, scales, kNoValue, "linear", kGrids[p.grid]));
}

void ResizeBilinearLayer(LayerImport& ctx) {
  enum Method : std::int64_t { kStrictAlign, kAlign, kUpsample };
  const auto p = ctx.Parameters<ResizeBilinear>();
  const IntList size = ctx.Sizes(p.size, 2, 1, "targetSize");
  const std::int64_t method = p.mode.value;
  if (!ctx.Expect(method >= kStrictAlign && method <= kUpsample,
                  "sampling mode {} of resizeBilinear is not read; STRICT_ALIGN_ENDPOINTS_MODE, "
                  "ALIGN_ENDPOINTS_MODE and UPSAMPLE_MODE are",
                  method) ||
      !ctx.Expect(method != kAlign || (size[0] > 1 && size[1] > 1),
                  "ALIGN_ENDPOINTS_MODE to a size of 1 is not read"))
    return;
  ctx.Give(Resized(ctx, kNoValue, ctx.Ints(size), "linear",
                   method == kUpsample ? "asymmetric" : "align_corners"));
}

}  // namespace

// clang-format off
std::vector<Row> LayerRows() {
  return {
      {100, "convolution", ConvolutionLayer},
      {120, "pooling", PoolingLayer},
      {140, "innerProduct", InnerProductLayer},
      {150, "embedding", Embedding},
      {160, "batchnorm", BatchNormLayer},
      {165, "mvn", MeanVarianceNormLayer},
      {170, "l2normalize", L2Normalize},
      {175, "softmax", Softmax},
      {180, "lrn", ResponseNormLayer},
      {210, "upsample", UpsampleLayer},
      {211, "resizeBilinear", ResizeBilinearLayer},
      {245, "scale", Scale},
      {250, "bias", Bias},
      {270, "dot", DotProduct, "", 2, 2},
      {290, "loadConstant", LoadConstant, "", 0, 0},
      {950, "softmaxND", SoftmaxAlong},
      {1040, "embeddingND", EmbeddingOfLast},
      {1045, "batchedMatmul", BatchedProductLayer, "", 1, 2},
      {1070, "loadConstantND", LoadConstantOfAnyRank, "", 0, 0},
      {1350, "layerNormalization", LayerNormLayer},
  };
}
// clang-format on

}  // namespace athanor::coreml
