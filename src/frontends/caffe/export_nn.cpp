// Operators with weights, pooling and normalisation, as Caffe layers.
#include <algorithm>

#include "frontends/caffe/layer_export.h"

namespace athanor::caffe {
namespace {

using IntList = std::vector<std::int64_t>;

// Kernel, strides, dilations and pads of a node, before and behind.
struct Spatial {
  IntList kernel, strides, dilations, pads, behind;
};

Result<Spatial> ReadSpatial(const LayerExport& ctx, IntList kernel) {
  const std::size_t count = kernel.size();
  const auto list = [&](std::string_view name, std::int64_t otherwise, std::size_t size) {
    IntList values = ctx.Attribute(name, IntList());
    if (values.size() != size) values.assign(size, otherwise);
    return values;
  };
  Spatial spatial = {
      std::move(kernel), list("strides", 1, count), list("dilations", 1, count), {}, {}};
  IntList pads = list("pads", 0, 2 * count);
  const auto auto_pad = ctx.Attribute<std::string>("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    ATH_TRY(const Dims in, ctx.InDims());
    for (std::size_t a = 0; a < count; ++a) {
      const std::int64_t stride = spatial.strides[a];
      const std::int64_t reach = spatial.dilations[a] * (spatial.kernel[a] - 1) + 1;
      const std::int64_t out = (in[a + 2] + stride - 1) / stride;
      const std::int64_t all = std::max<std::int64_t>(0, (out - 1) * stride + reach - in[a + 2]);
      const std::int64_t small = all / 2;
      pads[a] = auto_pad == "SAME_UPPER" ? small : all - small;
      pads[a + count] = all - pads[a];
    }
  }
  const auto half = pads.begin() + static_cast<std::ptrdiff_t>(count);
  spatial.pads.assign(pads.begin(), half);
  spatial.behind.assign(half, pads.end());
  return spatial;
}

// Caffe pads both sides alike. A kernel that grows by zeros on the side of the smaller pad has the
// same windows under equal pads.
Result<Tensor> EqualPads(const Tensor& weight, Spatial& s) {
  if (s.pads == s.behind) return weight;
  if (s.kernel.size() != 2 || s.dilations != IntList{1, 1})
    return Unsupported("pads of {} before and {} behind are written for two axes without dilation",
                       ToString(s.pads), ToString(s.behind));
  IntList front(2), kernel(2);
  for (std::size_t a = 0; a < 2; ++a) {
    const std::int64_t pad = std::max(s.pads[a], s.behind[a]);
    front[a] = pad - s.pads[a];
    kernel[a] = s.kernel[a] + front[a] + pad - s.behind[a];
    s.pads[a] = s.behind[a] = pad;
  }
  ATH_TRY(Tensor wide,
          Tensor::Allocate(DType::kF32, {weight.dim(0), weight.dim(1), kernel[0], kernel[1]}));
  const std::span<float> to = wide.MutableData<float>();
  std::fill(to.begin(), to.end(), 0.0F);
  const float* from = weight.Data<float>().data();
  const std::int64_t planes = weight.dim(0) * weight.dim(1);
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    for (std::int64_t row = 0; row < s.kernel[0]; ++row, from += s.kernel[1])
      std::copy_n(from, s.kernel[1],
                  to.data() + (plane * kernel[0] + front[0] + row) * kernel[1] + front[1]);
  }
  s.kernel = kernel;
  return wide;
}

void SetSizes(Message& param, std::string_view all, std::string_view height, std::string_view width,
              const IntList& sizes, std::int64_t otherwise) {
  const bool same = std::all_of(sizes.begin(), sizes.end(), [&](auto s) { return s == sizes[0]; });
  if (same && sizes[0] == otherwise) return;
  if (same || sizes.size() != 2 || height.empty()) {
    for (std::size_t i = 0; i < (same ? 1 : sizes.size()); ++i)
      param.Number(all, static_cast<double>(sizes[i]));
    return;
  }
  param.Number(height, static_cast<double>(sizes[0]));
  param.Number(width, static_cast<double>(sizes[1]));
}

void SetWindow(Message& param, const Spatial& spatial) {
  SetSizes(param, "pad", "pad_h", "pad_w", spatial.pads, 0);
  SetSizes(param, "kernel_size", "kernel_h", "kernel_w", spatial.kernel, 0);
  SetSizes(param, "stride", "stride_h", "stride_w", spatial.strides, 1);
}

// The bias of `out` values; nothing when the node has none.
Result<std::optional<Tensor>> Bias(const LayerExport& ctx, std::size_t i, std::int64_t out) {
  if (!ctx.Has(i)) return std::optional<Tensor>();
  ATH_TRY(const Tensor bias, ctx.Weight(i, "bias"));
  if (bias.count() == out) return std::optional<Tensor>(bias.Reshaped({out}));
  if (bias.count() != 1)
    return Unsupported("a bias of shape {} is not written; one value per output is",
                       ToString(bias.dims()));
  const std::vector<float> all(static_cast<std::size_t>(out), bias.Data<float>()[0]);
  return std::optional<Tensor>(Tensor::FromVector<float>({out}, all));
}

void SetWeights(LayerExport& ctx, Message& layer, Message& param, std::int64_t out,
                const Tensor& weight, const std::optional<Tensor>& bias) {
  param.Number("num_output", static_cast<double>(out));
  if (!bias) param.Bool("bias_term", false);
  ctx.AddBlob(layer, weight);
  if (bias) ctx.AddBlob(layer, *bias);
}

Status Convolve(LayerExport& ctx) {
  const bool transposed = ctx.node.op->name == "ConvTranspose";
  ATH_TRY(Tensor weight, ctx.Weight(1, "weight"));
  const IntList kernel(weight.dims().begin() + 2, weight.dims().end());
  if (transposed) {
    const IntList more = ctx.Attribute("output_padding", IntList());
    if (more != IntList(more.size(), 0) || ctx.node.attributes.Find("output_shape") != nullptr)
      return Unsupported("an output that is larger than the windows reach is not written");
    if (ctx.Attribute<std::string>("auto_pad", "NOTSET") != "NOTSET")
      return Unsupported("pads that follow from the output's size are not written");
  }
  ATH_TRY(Spatial spatial, ReadSpatial(ctx, kernel));
  if (!transposed) {
    ATH_TRY(weight, EqualPads(weight, spatial));
  } else if (spatial.pads != spatial.behind) {
    return Unsupported("pads of {} before and {} behind are not written", ToString(spatial.pads),
                       ToString(spatial.behind));
  }
  const auto group = ctx.Attribute<std::int64_t>("group", 1);
  const std::int64_t out = transposed ? weight.dim(1) * group : weight.dim(0);
  ATH_TRY(const std::optional<Tensor> bias, Bias(ctx, 2, out));
  ATH_TRY(Message* const layer,
          ctx.Emit(transposed ? "Deconvolution" : "Convolution", {ctx.Blob()}));
  Message& param = layer->AddChild("convolution_param");
  SetWeights(ctx, *layer, param, out, weight, bias);
  SetWindow(param, spatial);
  SetSizes(param, "dilation", "", "", spatial.dilations, 1);
  if (group != 1) param.Number("group", static_cast<double>(group));
  return {};
}

Result<Tensor> Transposed(const Tensor& from) {
  const std::int64_t rows = from.dim(0), columns = from.dim(1);
  ATH_TRY(Tensor to, Tensor::Allocate(DType::kF32, {columns, rows}));
  const float* source = from.Data<float>().data();
  float* target = to.MutableData<float>().data();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) target[c * rows + r] = source[r * columns + c];
  }
  return to;
}

// `weight` is [in, out] or, when `by_output`, [out, in]. Only text that BVLC reads is written: the
// flag that says "by input" is younger than most forks.
Status EmitInnerProduct(LayerExport& ctx, Tensor weight, bool by_output,
                        const std::optional<Tensor>& bias, std::int64_t axis) {
  if (!by_output) {
    ATH_TRY(weight, Transposed(weight));
  }
  ATH_TRY(Message* const layer, ctx.Emit("InnerProduct", {ctx.Blob()}));
  Message& param = layer->AddChild("inner_product_param");
  SetWeights(ctx, *layer, param, weight.dim(0), weight, bias);
  if (axis != 1) param.Number("axis", static_cast<double>(axis));
  return {};
}

Status Gemm(LayerExport& ctx) {
  const bool plain = ctx.Attribute<std::int64_t>("transA", 0) == 0 &&
                     ctx.Attribute("alpha", 1.0F) == 1 && ctx.Attribute("beta", 1.0F) == 1;
  if (!plain) return Unsupported("transA, alpha and beta are not written");
  ATH_TRY(const Tensor weight, ctx.Weight(1, "second matrix"));
  const bool by_output = ctx.Attribute<std::int64_t>("transB", 0) != 0;
  ATH_TRY(const std::optional<Tensor> bias, Bias(ctx, 2, weight.dim(by_output ? 0 : 1)));
  return EmitInnerProduct(ctx, weight, by_output, bias, 1);
}

Status MatMul(LayerExport& ctx) {
  ATH_TRY(const Tensor weight, ctx.Weight(1, "second matrix"));
  if (!ctx.IsBlob(0) || weight.rank() != 2)
    return Unsupported("a blob times a constant matrix is written");
  ATH_TRY(const Dims in, ctx.InDims());
  if (in.size() < 2) return Unsupported("a vector times a matrix is not written");
  return EmitInnerProduct(ctx, weight, false, std::nullopt,
                          static_cast<std::int64_t>(in.size()) - 1);
}

// Whether Caffe's way to count windows gives the graph's; `down`: it must be told to round down.
Status FitWindows(LayerExport& ctx, const Spatial& s, bool& down) {
  ATH_TRY(const Dims in, ctx.InDims());
  ATH_TRY(const Dims out, ctx.OutDims());
  bool up = false;
  down = false;
  for (std::size_t a = 0; a < s.kernel.size(); ++a) {
    const std::int64_t room = in[a + 2] + 2 * s.pads[a] - s.kernel[a], wanted = out[a + 2];
    const std::int64_t lower = room / s.strides[a] + 1;
    std::int64_t upper = (room + s.strides[a] - 1) / s.strides[a] + 1;
    if (s.pads[a] > 0 && (upper - 1) * s.strides[a] >= in[a + 2] + s.pads[a]) --upper;
    if (wanted != lower && wanted != upper)
      return Unsupported("Caffe would give {} windows, not {}", upper, wanted);
    up = up || wanted > lower;
    down = down || wanted < upper;
  }
  if (up && down) return Unsupported("one axis is rounded up and one down");
  return {};
}

// Caffe divides by the size of the window with its pads: at each place, a factor mends that.
Status LeavePadsOut(LayerExport& ctx, const Spatial& s, const std::string& pooled) {
  ATH_TRY(const Dims in, ctx.InDims());
  ATH_TRY(const Dims out, ctx.OutDims());
  const auto share = [&](std::size_t axis, std::int64_t i) {
    const std::int64_t size = in[axis + 2], begin = i * s.strides[axis] - s.pads[axis];
    const std::int64_t end = std::min(begin + s.kernel[axis], size + s.pads[axis]);
    const std::int64_t inside = std::min(end, size) - std::max<std::int64_t>(begin, 0);
    return static_cast<float>(end - begin) / static_cast<float>(std::max<std::int64_t>(inside, 1));
  };
  std::vector<float> factors;
  for (std::int64_t row = 0; row < out[2]; ++row) {
    for (std::int64_t column = 0; column < out[3]; ++column)
      factors.push_back(share(0, row) * share(1, column));
  }
  ATH_TRY(Message* const layer, ctx.Emit("Scale", {pooled}));
  layer->AddChild("scale_param").Number("axis", 2).Number("num_axes", 2);
  ctx.AddBlob(*layer, Tensor::FromVector<float>({out[2], out[3]}, factors));
  return {};
}

Status Pool(LayerExport& ctx) {
  const bool max = ctx.node.op->name == "MaxPool";
  if (ctx.node.outputs.size() > 1 && ctx.node.outputs[1] != kNoValue)
    return Unsupported("the positions of the largest values are not written");
  ATH_TRY(const Spatial s, ReadSpatial(ctx, ctx.Attribute("kernel_shape", IntList())));
  if (s.kernel.size() != 2 || s.dilations != IntList{1, 1} || s.pads != s.behind)
    return Unsupported("a window of two axes without dilation and with equal pads is written");
  bool down = false;
  ATH_RETURN_IF_ERROR(FitWindows(ctx, s, down));
  if (down && ctx.file.dialect.round_down.empty())
    return Unsupported("the dialect {} only rounds the number of windows up", ctx.file.dialect.name)
        .Fix("--dialect any");
  const bool mends =
      !max && s.pads != IntList{0, 0} && ctx.Attribute<std::int64_t>("count_include_pad", 0) == 0;
  std::vector<std::string> pooled;
  Message* layer = nullptr;
  if (mends) {
    ATH_TRY(layer, ctx.Make("Pooling", {ctx.Blob()}, pooled));
  } else {
    ATH_TRY(layer, ctx.Emit("Pooling", {ctx.Blob()}));
  }
  Message& param = layer->AddChild("pooling_param");
  param.Name("pool", max ? "MAX" : "AVE");
  SetWindow(param, s);
  if (down && ctx.file.dialect.round_down == "round_mode") param.Name("round_mode", "FLOOR");
  if (down && ctx.file.dialect.round_down == "ceil_mode") param.Bool("ceil_mode", false);
  return mends ? LeavePadsOut(ctx, s, pooled[0]) : Status();
}

Status GlobalPool(LayerExport& ctx) {
  ATH_TRY(const Dims in, ctx.InDims());
  if (in.size() != 4) return Unsupported("two spatial axes are written");
  ATH_TRY(Message* const layer, ctx.Emit("Pooling", {ctx.Blob()}));
  const bool max = ctx.node.op->name == "GlobalMaxPool";
  layer->AddChild("pooling_param").Name("pool", max ? "MAX" : "AVE").Bool("global_pooling", true);
  return {};
}

// Statistics, then scale and shift.
Status BatchNorm(LayerExport& ctx) {
  if (ctx.Attribute<std::int64_t>("training_mode", 0) != 0)
    return Unsupported("training is not written");
  Tensor weights[4];
  for (std::size_t i = 0; i < 4; ++i) {
    ATH_TRY(weights[i], ctx.Weight(i + 1, "statistics"));
  }
  std::vector<std::string> normal;
  ATH_TRY(Message* const norm, ctx.Make("BatchNorm", {ctx.Blob()}, normal));
  norm->AddChild("batch_norm_param")
      .Bool("use_global_stats", true)
      .Number("eps", ctx.Attribute("epsilon", 1e-5F));
  ctx.AddBlob(*norm, weights[2]);
  ctx.AddBlob(*norm, weights[3]);
  ctx.AddBlob(*norm, Tensor::FromVector<float>({1}, {1.0F}));
  ATH_TRY(Message* const scale, ctx.Emit("Scale", {normal[0]}));
  scale->AddChild("scale_param").Bool("bias_term", true);
  ctx.AddBlob(*scale, weights[0]);
  ctx.AddBlob(*scale, weights[1]);
  return {};
}

Status LocalResponseNorm(LayerExport& ctx) {
  const auto size = ctx.Attribute<std::int64_t>("size", 5);
  if (size % 2 == 0) return Unsupported("a window of {} is not written; odd ones are", size);
  ATH_TRY(Message* const layer, ctx.Emit("LRN", {ctx.Blob()}));
  layer->AddChild("lrn_param")
      .Number("local_size", static_cast<double>(size))
      .Number("alpha", ctx.Attribute("alpha", 1e-4F))
      .Number("beta", ctx.Attribute("beta", 0.75F))
      .Number("k", ctx.Attribute("bias", 1.0F));
  return {};
}

Status PRelu(LayerExport& ctx) {
  ATH_TRY(const Tensor slope, ctx.Weight(1, "slope"));
  ATH_TRY(const Dims in, ctx.InDims());
  const auto rank = static_cast<std::int64_t>(in.size());
  const bool per_channel = rank > 1 && slope.rank() == rank - 1 && slope.dim(0) == slope.count() &&
                           slope.count() == in[1];
  if (slope.count() != 1 && !per_channel)
    return Unsupported("one slope, or one per channel, is written");
  ATH_TRY(Message* const layer, ctx.Emit("PReLU", {ctx.Blob()}));
  if (!per_channel) layer->AddChild("prelu_param").Bool("channel_shared", true);
  ctx.AddBlob(*layer, slope.Reshaped({slope.count()}));
  return {};
}

}  // namespace

std::vector<ExportRow> NnExportRows() {
  return {
      {"AveragePool", Pool},
      {"BatchNormalization", BatchNorm},
      {"Conv", Convolve},
      {"ConvTranspose", Convolve},
      {"Gemm", Gemm},
      {"GlobalAveragePool", GlobalPool},
      {"GlobalMaxPool", GlobalPool},
      {"LRN", LocalResponseNorm},
      {"MatMul", MatMul},
      {"MaxPool", Pool},
      {"PRelu", PRelu},
  };
}

}  // namespace athanor::caffe
