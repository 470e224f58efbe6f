// Layers with weights, pooling and products.
#include <algorithm>

#include "core/checked.h"
#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

using schema::PadMode;

// A window along one spatial axis.
struct Window {
  std::int64_t kernel = 1, stride = 1, dilation = 1;
};

Status CheckWindow(const std::vector<Window>& window) {
  constexpr std::int64_t kMost = 1 << 20;
  for (const Window& axis : window) {
    for (const std::int64_t size : {axis.kernel, axis.stride, axis.dilation}) {
      if (size < 1 || size > kMost)
        return InvalidModel("a window of {}, stride {}, dilation {}", axis.kernel, axis.stride,
                            axis.dilation);
    }
  }
  return {};
}

IntList Each(const std::vector<Window>& window, std::int64_t Window::*field) {
  IntList list;
  for (const Window& axis : window) list.push_back(axis.*field);
  return list;
}

// `pads`: of the beginnings, then of the ends; or one number for both sides of each axis.
Result<AttrMap> WindowAttributes(PadMode mode, const std::vector<Window>& window, IntList pads,
                                 IntList symmetric) {
  ATH_RETURN_IF_ERROR(CheckWindow(window));
  AttrMap attributes = {{"kernel_shape", Each(window, &Window::kernel)},
                        {"strides", Each(window, &Window::stride)},
                        {"dilations", Each(window, &Window::dilation)}};
  if (mode == schema::PadMode_SAME) {
    attributes.Set("auto_pad", std::string("SAME_UPPER"));
    return attributes;
  }
  if (mode == schema::PadMode_VALID) return attributes;
  if (mode != schema::PadMode_CAFFE)
    return InvalidModel("padding {} is not known", static_cast<int>(mode));
  if (pads.size() == window.size()) symmetric = std::move(pads);
  if (pads.size() != 2 * window.size()) {
    pads = symmetric;
    pads.insert(pads.end(), symmetric.begin(), symmetric.end());
  }
  attributes.Set("pads", std::move(pads));
  return attributes;
}

std::vector<Window> WindowOf(const schema::Convolution2DCommon& common) {
  return {{common.kernel_y(), common.stride_y(), common.dilate_y()},
          {common.kernel_x(), common.stride_x(), common.dilate_x()}};
}

// The numbers of filters and groups of a layer, and its weights as the file stores them.
struct Filters {
  std::int64_t in = 0, out = 0, groups = 1;
  ValueId weights = kNoValue, bias = kNoValue;
};

Result<Filters> CountFilters(const schema::Convolution2DCommon& common, const Type& input,
                             bool depthwise) {
  Filters filters = {common.input_count(), common.output_count(), common.group()};
  if (filters.in == 0 && input.HasRank() && input.rank() > 1 && input.dim(1).IsConst())
    filters.in = input.dim(1).value();
  if (depthwise) filters.in = filters.groups = filters.out;
  if (filters.in < 1 || filters.out < 1 || filters.groups < 1 || filters.in > 1 << 24 ||
      filters.out > 1 << 24 || filters.in % filters.groups != 0 ||
      filters.out % filters.groups != 0)
    return InvalidModel("{} inputs and {} filters in {} groups", filters.in, filters.out,
                        filters.groups);
  return filters;
}

Status RefuseExternal(const flatbuffers::Vector<std::int64_t>* external) {
  if (external == nullptr || external->size() == 0) return {};
  return Unsupported("weights in a file of their own are not read")
      .Fix("convert the network again without --saveExternalData");
}

// Weights from the parameters, or inputs 1 and 2.
Status ReadFilters(OpImport& ctx, const schema::Convolution2D& layer, Filters& filters,
                   const Dims& dims) {
  if (ctx.inputs.size() > 1) {
    filters.weights = ctx.Op("Reshape", {ctx.In(1), ctx.Ints(dims)});
    if (ctx.Has(2)) filters.bias = ctx.Op("Reshape", {ctx.In(2), ctx.Ints({filters.out})});
    return ctx.problem();
  }
  ATH_RETURN_IF_ERROR(RefuseExternal(layer.external()));
  if (layer.quantized() != nullptr) {
    ATH_TRY(Tensor weights, ctx.net.weights.Widened(*layer.quantized(), dims));
    filters.weights = ctx.Constant(std::move(weights));
  } else {
    filters.weights = ctx.Weights(layer.weight(), dims);
  }
  if (layer.bias() != nullptr) filters.bias = ctx.Weights(layer.bias(), {filters.out});
  return ctx.problem();
}

std::vector<ValueId> InputAnd(ValueId x, const Filters& filters) {
  std::vector<ValueId> in = {x, filters.weights};
  if (filters.bias != kNoValue) in.push_back(filters.bias);
  return in;
}

}  // namespace

Result<ConvolutionShape> ShapeOf(OpImport& ctx, const schema::Convolution2DCommon& common,
                                 bool depthwise) {
  ATH_TRY(const Filters filters, CountFilters(common, ctx.InType(), depthwise));
  ATH_TRY(AttrMap attributes,
          WindowAttributes(common.pad_mode(), WindowOf(common), ctx.List(common.pads()),
                           {common.pad_y(), common.pad_x()}));
  attributes.Set("group", filters.groups);
  return ConvolutionShape{
      {filters.out, filters.in / filters.groups, common.kernel_y(), common.kernel_x()},
      std::move(attributes)};
}

namespace {

Status Convolve(OpImport& ctx, bool depthwise) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Convolution2D()));
  ATH_TRY(const auto* common, Given(layer->common()));
  ATH_TRY(const ConvolutionShape shape, ShapeOf(ctx, *common, depthwise));
  Filters filters = {.out = shape.weights[0]};
  ATH_RETURN_IF_ERROR(ReadFilters(ctx, *layer, filters, shape.weights));
  const ValueId y = ctx.Op("Conv", InputAnd(ctx.In(), filters), shape.attributes);
  return ctx.Give(ctx.Activated(y, common->relu(), common->relu6()));
}

}  // namespace

Status Convolution(OpImport& ctx) { return Convolve(ctx, false); }
Status ConvolutionDepthwise(OpImport& ctx) { return Convolve(ctx, true); }

namespace {

// The padding of a result whose size is the input's times the stride; an odd one goes to the end.
IntList SamePads(const std::vector<Window>& window) {
  IntList begin, end;
  for (const Window& axis : window) {
    const std::int64_t extra =
        std::max<std::int64_t>(0, (axis.kernel - 1) * axis.dilation + 1 - axis.stride);
    begin.push_back(extra / 2);
    end.push_back(extra - extra / 2);
  }
  begin.insert(begin.end(), end.begin(), end.end());
  return begin;
}

Status Deconvolve(OpImport& ctx, bool depthwise) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Convolution2D()));
  ATH_TRY(const auto* common, Given(layer->common()));
  if (common->has_output_shape() && ctx.inputs.size() == 2)
    return Unsupported("a deconvolution whose size is an input is not read");
  ATH_TRY(Filters filters, CountFilters(*common, ctx.InType(), depthwise));
  const Dims dims = {filters.in, filters.out / filters.groups, common->kernel_y(),
                     common->kernel_x()};
  const std::vector<Window> window = WindowOf(*common);
  const bool same = common->pad_mode() == schema::PadMode_SAME;
  ATH_TRY(AttrMap attributes,
          WindowAttributes(same ? schema::PadMode_CAFFE : common->pad_mode(), window,
                           same ? SamePads(window) : ctx.List(common->pads()),
                           {common->pad_y(), common->pad_x()}));
  attributes.Set("group", filters.groups);
  if (const IntList more = ctx.List(common->out_pads()); more.size() == 2)
    attributes.Set("output_padding", more);
  ATH_RETURN_IF_ERROR(ReadFilters(ctx, *layer, filters, dims));
  const ValueId y = ctx.Op("ConvTranspose", InputAnd(ctx.In(), filters), std::move(attributes));
  return ctx.Give(ctx.Activated(y, common->relu(), common->relu6()));
}

Status Deconvolution(OpImport& ctx) { return Deconvolve(ctx, false); }
Status DeconvolutionDepthwise(OpImport& ctx) { return Deconvolve(ctx, true); }

std::vector<Window> WindowOf(const schema::Convolution3DCommon& common, OpImport& ctx) {
  const IntList kernels = ctx.List(common.kernels()), strides = ctx.List(common.strides()),
                dilations = ctx.List(common.dilates());
  std::vector<Window> window;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto entry = [i](const IntList& list) { return i < list.size() ? list[i] : 1; };
    window.push_back({entry(kernels), entry(strides), entry(dilations)});
  }
  return window;
}

Status Convolve3d(OpImport& ctx, bool transposed) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Convolution3D()));
  ATH_TRY(const auto* common, Given(layer->common()));
  ATH_RETURN_IF_ERROR(RefuseExternal(layer->external()));
  const std::vector<Window> window = WindowOf(*common, ctx);
  ATH_TRY(AttrMap attributes,
          WindowAttributes(common->pad_mode(), window, ctx.List(common->pads()), {0, 0, 0}));
  const std::int64_t in = common->input_count(), out = common->output_count(),
                     groups = common->group();
  if (in < 1 || out < 1 || groups < 1 || in % groups != 0 || out % groups != 0)
    return InvalidModel("{} inputs and {} filters in {} groups", in, out, groups);
  attributes.Set("group", groups);
  Dims dims = transposed ? Dims{in, out / groups} : Dims{out, in / groups};
  for (const Window& axis : window) dims.push_back(axis.kernel);
  std::vector<ValueId> operands = {ctx.In(), ctx.Weights(layer->weight(), dims)};
  if (layer->bias() != nullptr) operands.push_back(ctx.Weights(layer->bias(), {out}));
  if (const IntList more = ctx.List(common->out_pads()); transposed && more.size() == 3)
    attributes.Set("output_padding", more);
  const ValueId y = ctx.Op(transposed ? "ConvTranspose" : "Conv", operands, std::move(attributes));
  return ctx.Give(ctx.Activated(y, common->relu(), common->relu6()));
}

Status Convolution3d(OpImport& ctx) { return Convolve3d(ctx, false); }
Status ConvTranspose3d(OpImport& ctx) { return Convolve3d(ctx, true); }

// x as rows from `axis` on, times the weights [out, in].
Status InnerProduct(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_InnerProduct()));
  const std::int64_t out = layer->output_count(), size = layer->weight_size();
  if (out < 1 || size < 1 || size % out != 0)
    return InvalidModel("{} weights cannot be divided among {} outputs", size, out);
  const Dims dims = layer->transpose() ? Dims{size / out, out} : Dims{out, size / out};
  ValueId weights = kNoValue;
  if (layer->quantized() != nullptr) {
    ATH_TRY(Tensor widened, ctx.net.weights.Widened(*layer->quantized(), dims));
    weights = ctx.Constant(std::move(widened));
  } else {
    weights = ctx.Weights(layer->weight(), dims);
  }
  std::vector<ValueId> in = {ctx.Op("Flatten", {ctx.In()}, {{"axis", std::int64_t{layer->axis()}}}),
                             weights};
  if (layer->bias_term() != 0) in.push_back(ctx.Weights(layer->bias(), {out}));
  return ctx.Give(ctx.Op("Gemm", in, {{"transB", std::int64_t{layer->transpose() ? 0 : 1}}}));
}

// Makes windows that reach beyond a picture of known size as small as it is.
void Shrink(const Type& picture, const IntList& pads, std::vector<Window>& window) {
  const std::size_t axes = window.size();
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t axis = static_cast<std::int64_t>(i) + 2;
    if (!picture.HasRank() || axis >= picture.rank() || !picture.dim(axis).IsConst()) continue;
    const std::int64_t padding = pads.size() == 2 * axes ? pads[i] + pads[i + axes] : 0;
    window[i].kernel = std::min(window[i].kernel, picture.dim(axis).value() + padding);
  }
}

// The window over a picture of rank 4; where padding is neither counted nor left out in words, it
// is counted in files of the time before each side had a number of its own.
Result<AttrMap> PoolAttributes(OpImport& ctx, const schema::Pool& pool, const Type& picture) {
  std::vector<Window> window = {{pool.kernel_y(), pool.stride_y(), 1},
                                {pool.kernel_x(), pool.stride_x(), 1}};
  IntList pads = ctx.List(pool.pads());
  if (pads.size() != 4) pads = {pool.pad_y(), pool.pad_x(), pool.pad_y(), pool.pad_x()};
  Shrink(picture, pads, window);
  ATH_TRY(AttrMap attributes, WindowAttributes(pool.pad_mode(), window, pads, {0, 0}));
  const bool caffe = pool.pad_mode() == schema::PadMode_CAFFE;
  attributes.Set("ceil_mode", std::int64_t{caffe && pool.ceil() ? 1 : 0});
  if (pool.type() == schema::PoolType_MAX_POOL) return attributes;
  const bool count =
      pool.count_type() == schema::CountType_INCLUDE_PADDING ||
      (pool.count_type() == schema::CountType_DEFAULT && caffe && pool.pads() == nullptr);
  attributes.Set("count_include_pad", std::int64_t{count ? 1 : 0});
  return attributes;
}

Status Pooling(OpImport& ctx) {
  ATH_TRY(const auto* pool, Given(ctx.op.main_as_Pool()));
  if (ctx.num_outputs > 1) return Unsupported("the places of largest values are not read");
  const bool max = pool->type() == schema::PoolType_MAX_POOL;
  if (pool->is_global())
    return ctx.Give(ctx.Op(max ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  const bool flat = rank == 3;  // a sequence is a picture of width 1
  const ValueId width = ctx.Ints({3});
  const ValueId x = flat ? ctx.Op("Unsqueeze", {ctx.In(), width}) : ctx.In();
  ATH_RETURN_IF_ERROR(ctx.problem());
  ATH_TRY(AttrMap attributes, PoolAttributes(ctx, *pool, ctx.TypeOf(x)));
  const ValueId y = ctx.Op(max ? "MaxPool" : "AveragePool", {x}, std::move(attributes));
  return ctx.Give(flat ? ctx.Op("Squeeze", {y, width}) : y);
}

Status Pooling3d(OpImport& ctx) {
  ATH_TRY(const auto* pool, Given(ctx.op.main_as_Pool3D()));
  const bool max = pool->type() == schema::PoolType_MAX_POOL;
  if (pool->is_global())
    return ctx.Give(ctx.Op(max ? "GlobalMaxPool" : "GlobalAveragePool", {ctx.In()}));
  const IntList kernels = ctx.List(pool->kernels()), strides = ctx.List(pool->strides());
  if (kernels.size() != 3 || strides.size() != 3)
    return InvalidModel("{} sizes and {} strides of a window", kernels.size(), strides.size());
  std::vector<Window> window;
  for (std::size_t i = 0; i < 3; ++i) window.push_back({kernels[i], strides[i], 1});
  ATH_TRY(AttrMap attributes,
          WindowAttributes(pool->pad_mode(), window, ctx.List(pool->pads()), {0, 0, 0}));
  return ctx.Give(ctx.Op(max ? "MaxPool" : "AveragePool", {ctx.In()}, std::move(attributes)));
}

// The last two axes exchanged.
ValueId Transposed(OpImport& ctx, ValueId x) {
  if (!ctx.problem().ok()) return kNoValue;
  const Type& type = ctx.TypeOf(x);
  if (!type.HasRank() || type.rank() < 2) {
    ctx.Fail(InvalidModel("{} is no matrix", type.ToString()));
    return kNoValue;
  }
  IntList perm;
  for (std::int64_t axis = 0; axis < type.rank(); ++axis) perm.push_back(axis);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return ctx.Transpose(x, perm);
}

ValueId Product(OpImport& ctx, bool transpose_a, bool transpose_b) {
  const ValueId a = transpose_a ? Transposed(ctx, ctx.In(0)) : ctx.In(0);
  const ValueId b = transpose_b ? Transposed(ctx, ctx.In(1)) : ctx.In(1);
  const ValueId y = ctx.Op("MatMul", {a, b});
  return ctx.Has(2) ? ctx.Op("Add", {y, ctx.In(2)}) : y;
}

Status MatMul(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_MatMul()));
  if (layer->weight() != nullptr && layer->weight()->size() > 0)
    return Unsupported("weights within the parameters are not read; as an input they are");
  return ctx.Give(Product(ctx, layer->transpose_a(), layer->transpose_b()));
}

Status BatchMatMul(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_BatchMatMulParam();
  return ctx.Give(Product(ctx, layer != nullptr && layer->transpose_a(),
                          layer != nullptr && layer->transpose_b()));
}

}  // namespace

// clang-format off
std::vector<Row> NnRows() {
  return {
      {schema::OpType_Convolution, 1, 3, Convolution},
      {schema::OpType_ConvolutionDepthwise, 1, 3, ConvolutionDepthwise},
      {schema::OpType_Deconvolution, 1, 3, Deconvolution},
      {schema::OpType_DeconvolutionDepthwise, 1, 3, DeconvolutionDepthwise},
      {schema::OpType_InnerProduct, 1, 1, InnerProduct},
      {schema::OpType_MatMul, 2, 3, MatMul},
      {schema::OpType_Pooling, 1, 1, Pooling},
      {schema::OpType_BatchMatMul, 2, 3, BatchMatMul},
      {schema::OpType_Pooling3D, 1, 1, Pooling3d},
      {schema::OpType_Convolution3D, 1, 1, Convolution3d},
      {schema::OpType_ConvTranspose3D, 1, 1, ConvTranspose3d},
  };
}
// clang-format on

}  // namespace athanor::mnn
