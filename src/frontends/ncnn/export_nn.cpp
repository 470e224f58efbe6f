// Operators with weights, pooling and normalisation, as ncnn layers.
#include <algorithm>

#include "frontends/ncnn/layer_export.h"

namespace athanor::ncnn {
namespace {

using IntList = std::vector<std::int64_t>;
using Params = LayerExport::Params;

// Kernel, strides, dilations and pads of a node with two spatial axes.
struct Spatial {
  IntList kernel, strides, dilations, pads;  // pads: top, left, bottom, right
};

Result<Spatial> ReadSpatial(const LayerExport& ctx, IntList kernel) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  if (rank != 3) return Unsupported("only two spatial axes are written, {} are given", rank - 1);
  const auto list = [&](std::string_view name, std::int64_t otherwise, std::size_t count) {
    IntList values = ctx.Attribute(name, IntList());
    if (values.size() != count) values.assign(count, otherwise);
    return values;
  };
  Spatial spatial = {std::move(kernel), list("strides", 1, 2), list("dilations", 1, 2),
                     list("pads", 0, 4)};
  const auto auto_pad = ctx.Attribute<std::string>("auto_pad", "NOTSET");
  // ncnn's marks for pads that follow from the size.
  if (auto_pad == "SAME_UPPER") spatial.pads.assign(4, -233);
  if (auto_pad == "SAME_LOWER") spatial.pads.assign(4, -234);
  if (auto_pad == "VALID") spatial.pads.assign(4, 0);
  return spatial;
}

// The parameters that Convolution and Deconvolution share.
Params WindowParams(const Spatial& s) {
  return {{1, Int(s.kernel[1])},     {11, Int(s.kernel[0])}, {2, Int(s.dilations[1])},
          {12, Int(s.dilations[0])}, {3, Int(s.strides[1])}, {13, Int(s.strides[0])},
          {4, Int(s.pads[1])},       {14, Int(s.pads[0])},   {15, Int(s.pads[3])},
          {16, Int(s.pads[2])}};
}

// The bias of `out` values; nothing when the node has none.
Result<std::optional<Tensor>> Bias(const LayerExport& ctx, std::size_t i, std::int64_t out) {
  if (!ctx.Has(i)) return std::optional<Tensor>();
  ATH_TRY(const Tensor bias, ctx.Weight(i, "bias"));
  if (bias.count() == out) return std::optional<Tensor>(bias.Reshaped({out}));
  if (bias.count() != 1)
    return Unsupported("a bias of shape {} is not written; one value per output is",
                       ToString(bias.dims()));
  ATH_TRY(Tensor all, Tensor::Allocate(DType::kF32, {out}));
  std::fill_n(all.MutableData<float>().data(), out, bias.Data<float>()[0]);
  return std::optional<Tensor>(std::move(all));
}

void WriteWeights(LayerExport& ctx, const Tensor& weight, const std::optional<Tensor>& bias) {
  ctx.file.weights.Marked(weight);
  if (bias) ctx.file.weights.Raw(*bias);
}

void AddCommon(Params& params, std::int64_t out, const Tensor& weight,
               const std::optional<Tensor>& bias, std::int64_t group) {
  params[0] = Int(out);
  params[5] = Int(bias ? 1 : 0);
  params[6] = Int(weight.count());
  if (group != 1) params[7] = Int(group);
}

Status Conv(LayerExport& ctx) {
  ATH_TRY(const Tensor weight, ctx.Weight(1, "weight"));
  if (weight.rank() != 4) return Unsupported("only two spatial axes are written");
  ATH_TRY(const Spatial spatial, ReadSpatial(ctx, {weight.dim(2), weight.dim(3)}));
  ATH_TRY(const std::optional<Tensor> bias, Bias(ctx, 2, weight.dim(0)));
  const auto group = ctx.Attribute<std::int64_t>("group", 1);
  Params params = WindowParams(spatial);
  AddCommon(params, weight.dim(0), weight, bias, group);
  WriteWeights(ctx, weight, bias);
  ctx.Emit(group == 1 ? "Convolution" : "ConvolutionDepthWise", {ctx.Blob()}, std::move(params));
  return {};
}

// [group, in, out, area] -> [group, out, in, area]
Result<Tensor> SwapFilters(const Tensor& from, std::int64_t group) {
  const std::int64_t in = from.dim(0) / group, out = from.dim(1), area = from.dim(2) * from.dim(3);
  ATH_TRY(Tensor to, Tensor::Allocate(DType::kF32, {group * out, in, from.dim(2), from.dim(3)}));
  const float* source = from.Data<float>().data();
  float* target = to.MutableData<float>().data();
  for (std::int64_t g = 0; g < group; ++g) {
    for (std::int64_t o = 0; o < out; ++o) {
      for (std::int64_t i = 0; i < in; ++i)
        target = std::copy_n(source + ((g * in + i) * out + o) * area, area, target);
    }
  }
  return to;
}

Status ConvTranspose(LayerExport& ctx) {
  ATH_TRY(const Tensor weight, ctx.Weight(1, "weight"));
  if (weight.rank() != 4) return Unsupported("only two spatial axes are written");
  ATH_TRY(const Spatial spatial, ReadSpatial(ctx, {weight.dim(2), weight.dim(3)}));
  const bool from_size = ctx.node.attributes.Find("output_shape") != nullptr;
  if (from_size || spatial.pads[0] < 0)
    return Unsupported("pads that follow from the output's size are not written");
  const auto group = ctx.Attribute<std::int64_t>("group", 1);
  const std::int64_t out = weight.dim(1) * group;
  ATH_TRY(const Tensor swapped, SwapFilters(weight, group));
  ATH_TRY(const std::optional<Tensor> bias, Bias(ctx, 2, out));
  Params params = WindowParams(spatial);
  AddCommon(params, out, swapped, bias, group);
  const IntList more = ctx.Attribute("output_padding", IntList());
  if (more.size() == 2) {
    params[18] = Int(more[1]);
    params[19] = Int(more[0]);
  }
  WriteWeights(ctx, swapped, bias);
  ctx.Emit(group == 1 ? "Deconvolution" : "DeconvolutionDepthWise", {ctx.Blob()},
           std::move(params));
  return {};
}

Result<Tensor> Transposed(const Tensor& from) {
  const std::int64_t rows = from.dim(0), columns = from.dim(1);
  ATH_TRY(Tensor to, Tensor::Allocate(DType::kF32, {columns, rows}));
  const auto source = from.Data<float>();
  const auto target = to.MutableData<float>();
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c)
      target[static_cast<std::size_t>(c * rows + r)] =
          source[static_cast<std::size_t>(r * columns + c)];
  }
  return to;
}

void EmitInnerProduct(LayerExport& ctx, const Tensor& weight, const std::optional<Tensor>& bias) {
  WriteWeights(ctx, weight, bias);
  ctx.Emit("InnerProduct", {ctx.Blob()},
           {{0, Int(weight.dim(0))}, {1, Int(bias ? 1 : 0)}, {2, Int(weight.count())}});
}

Status Gemm(LayerExport& ctx) {
  const bool plain = ctx.Attribute<std::int64_t>("transA", 0) == 0 &&
                     ctx.Attribute("alpha", 1.0F) == 1 && ctx.Attribute("beta", 1.0F) == 1;
  if (!plain) return Unsupported("transA, alpha and beta are not written");
  ATH_TRY(Tensor weight, ctx.Weight(1, "second matrix"));
  if (ctx.Attribute<std::int64_t>("transB", 0) == 0) {
    ATH_TRY(weight, Transposed(weight));
  }
  ATH_TRY(const std::optional<Tensor> bias, Bias(ctx, 2, weight.dim(0)));
  EmitInnerProduct(ctx, weight, bias);
  return {};
}

Status MatMul(LayerExport& ctx) {
  if (ctx.IsBlob(0) && ctx.IsBlob(1)) {
    ATH_TRY(const std::int64_t rank, ctx.BlobRank(0));
    ATH_TRY(const std::int64_t other, ctx.BlobRank(1));
    if (rank != other || rank < 2)
      return Unsupported("a product of blobs of {} and {} axes is not written", rank, other);
    ctx.Emit("MatMul", {ctx.Blob(0), ctx.Blob(1)});
    return {};
  }
  ATH_TRY(const Tensor weight, ctx.Weight(1, "second matrix"));
  if (!ctx.IsBlob(0) || weight.rank() != 2)
    return Unsupported("a blob times a constant matrix is written");
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  // A blob of one row is taken for a row without that axis.
  if (rank > 2 || (rank == 2 && !(ctx.InType().dim(1).IsConst() && !ctx.InType().dim(1).Is(1))))
    return Unsupported("the first matrix must be a row or several rows");
  ATH_TRY(const Tensor transposed, Transposed(weight));
  EmitInnerProduct(ctx, transposed, std::nullopt);
  return {};
}

// Whether windows of ONNX and of ncnn, which also counts those that start in the filling, agree;
// `even`: nothing is rounded.
Status CheckCeil(const LayerExport& ctx, const Spatial& s, bool& even) {
  even = true;
  for (std::size_t a = 0; a < 2; ++a) {
    const auto axis = static_cast<std::int64_t>(a) + 2;
    const Dim &in = ctx.InType().dim(axis), &out = ctx.OutType().dim(axis);
    if (!in.IsConst() || !out.IsConst())
      return Unsupported("rounding the output's size up needs an input of known size");
    const std::int64_t room = in.value() + s.pads[a] + s.pads[a + 2] - s.kernel[a];
    if (room % s.strides[a] != 0) even = false;
    if ((room + s.strides[a] - 1) / s.strides[a] + 1 != out.value())
      return Unsupported("ncnn would give {} windows, not {}",
                         (room + s.strides[a] - 1) / s.strides[a] + 1, out.value());
  }
  return {};
}

Status Pool(LayerExport& ctx) {
  const bool max = ctx.node.op->name == "MaxPool";
  if (ctx.node.outputs.size() > 1 && ctx.node.outputs[1] != kNoValue)
    return Unsupported("the positions of the largest values are not written");
  ATH_TRY(const Spatial s, ReadSpatial(ctx, ctx.Attribute("kernel_shape", IntList())));
  if (s.kernel.size() != 2 || s.dilations != IntList{1, 1})
    return Unsupported("a window of two axes without dilation is written");
  const bool count_pads = ctx.Attribute<std::int64_t>("count_include_pad", 0) != 0;
  enum Mode : std::int64_t { kFull, kValid, kSameUpper, kSameLower };
  std::int64_t mode = kValid;
  if (s.pads[0] == -233) mode = kSameUpper;
  if (s.pads[0] == -234) mode = kSameLower;
  if (mode != kValid && !max) return Unsupported("pads that follow from the size are not written");
  if (ctx.Attribute<std::int64_t>("ceil_mode", 0) != 0 && mode == kValid) {
    bool even = false;
    ATH_RETURN_IF_ERROR(CheckCeil(ctx, s, even));
    if (!even && count_pads) return Unsupported("an average over pads of a size rounded up");
    mode = even ? kValid : kFull;
  }
  const IntList pads = mode > kValid ? IntList{0, 0, 0, 0} : s.pads;
  ctx.Emit("Pooling", {ctx.Blob()},
           {{0, Int(max ? 0 : 1)},
            {1, Int(s.kernel[1])},
            {11, Int(s.kernel[0])},
            {2, Int(s.strides[1])},
            {12, Int(s.strides[0])},
            {3, Int(pads[1])},
            {13, Int(pads[0])},
            {14, Int(pads[3])},
            {15, Int(pads[2])},
            {5, Int(mode)},
            {6, Int(count_pads ? 1 : 0)}});
  return {};
}

// Adaptive pooling to one position keeps the axes, which global pooling in ncnn does not.
Status GlobalPool(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  if (rank != 3) return Unsupported("only two spatial axes are written");
  const bool max = ctx.node.op->name == "GlobalMaxPool";
  ctx.Emit("Pooling", {ctx.Blob()},
           {{0, Int(max ? 0 : 1)}, {7, Int(1)}, {8, Int(1)}, {18, Int(1)}});
  return {};
}

Status BatchNorm(LayerExport& ctx) {
  if (ctx.Attribute<std::int64_t>("training_mode", 0) != 0)
    return Unsupported("training is not written");
  // Slope, mean, variance, bias.
  for (const std::size_t i : {1, 3, 4, 2}) {
    ATH_TRY(const Tensor weight, ctx.Weight(i, "statistics"));
    ctx.file.weights.Raw(weight);
  }
  ctx.Emit("BatchNorm", {ctx.Blob()},
           {{0, Int(ctx.Constant(1)->count())}, {1, Real(ctx.Attribute("epsilon", 1e-5F))}});
  return {};
}

// Scale and shift, then a layer that says how many there are.
Status Affine(LayerExport& ctx, std::string_view type, int count_id, int epsilon_id,
              Params params) {
  ATH_TRY(const Tensor scale, ctx.Weight(1, "scale"));
  ATH_TRY(Tensor bias, Tensor::Allocate(DType::kF32, scale.dims()));
  std::fill_n(bias.MutableData<float>().data(), bias.count(), 0.0F);
  if (ctx.Has(2)) {
    ATH_TRY(bias, ctx.Weight(2, "bias"));
  }
  ctx.file.weights.Raw(scale);
  ctx.file.weights.Raw(bias);
  params[count_id] = Int(scale.count());
  params[epsilon_id] = Real(ctx.Attribute("epsilon", 1e-5F));
  ctx.Emit(type, {ctx.Blob()}, std::move(params));
  return {};
}

Status GroupNorm(LayerExport& ctx) {
  return Affine(ctx, "GroupNorm", 1, 2, {{0, Int(ctx.Attribute<std::int64_t>("num_groups", 1))}});
}

Status InstanceNorm(LayerExport& ctx) { return Affine(ctx, "InstanceNorm", 0, 1, {}); }

Status LayerNorm(LayerExport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  ATH_TRY(const std::int64_t axis, ctx.BlobAxis(ctx.Attribute<std::int64_t>("axis", -1)));
  if (axis != rank - 1 || ctx.node.outputs.size() > 1)
    return Unsupported("normalisation over the last axis with one output is written");
  return Affine(ctx, "LayerNorm", 0, 1, {});
}

Status LocalResponseNorm(LayerExport& ctx) {
  ctx.Emit("LRN", {ctx.Blob()},
           {{0, Int(0)},
            {1, Int(ctx.Attribute<std::int64_t>("size", 5))},
            {2, Real(ctx.Attribute("alpha", 1e-4F))},
            {3, Real(ctx.Attribute("beta", 0.75F))},
            {4, Real(ctx.Attribute("bias", 1.0F))}});
  return {};
}

Status PRelu(LayerExport& ctx) {
  ATH_TRY(const Tensor slope, ctx.Weight(1, "slope"));
  ATH_TRY(const std::int64_t rank, ctx.BlobRank());
  const Dim& channels = ctx.InType().dim(1);
  const bool per_channel =
      slope.rank() == rank && slope.dim(0) == slope.count() && channels.Is(slope.count());
  if (slope.count() != 1 && !per_channel)
    return Unsupported("one slope, or one per channel, is written");
  ctx.file.weights.Raw(slope);
  ctx.Emit("PReLU", {ctx.Blob()}, {{0, Int(slope.count())}});
  return {};
}

}  // namespace

std::vector<ExportRow> NnExportRows() {
  return {
      {"AveragePool", Pool},
      {"BatchNormalization", BatchNorm},
      {"Conv", Conv},
      {"ConvTranspose", ConvTranspose},
      {"Gemm", Gemm},
      {"GlobalAveragePool", GlobalPool},
      {"GlobalMaxPool", GlobalPool},
      {"GroupNormalization", GroupNorm},
      {"InstanceNormalization", InstanceNorm},
      {"LRN", LocalResponseNorm},
      {"LayerNormalization", LayerNorm},
      {"MatMul", MatMul},
      {"MaxPool", Pool},
      {"PRelu", PRelu},
  };
}

}  // namespace athanor::ncnn
