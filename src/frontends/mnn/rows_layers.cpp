// Activations with parameters, normalisation, softmax and resizing.
#include <algorithm>

#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

Status Relu(OpImport& ctx) {
  const auto* relu = ctx.op.main_as_Relu();
  const float slope = relu == nullptr ? 0 : relu->slope();
  if (slope == 0) return ctx.Give(ctx.Op("Relu", {ctx.In()}));
  return ctx.Give(ctx.Op("LeakyRelu", {ctx.In()}, {{"alpha", slope}}));
}

Status Relu6(OpImport& ctx) {
  const auto* limits = ctx.op.main_as_Relu6();
  const float low = limits == nullptr ? 0 : limits->low(),
              high = limits == nullptr ? 6 : limits->high();
  return ctx.Give(
      ctx.Op("Clip", {ctx.In(), ctx.Number(low, ctx.In()), ctx.Number(high, ctx.In())}));
}

Status PRelu(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_PRelu()));
  const std::int64_t count = layer->slope() == nullptr ? 0 : layer->slope()->size();
  Dims dims = {count};
  if (count > 1) {
    ATH_TRY(const std::int64_t rank, ctx.Rank());
    dims.resize(static_cast<std::size_t>(std::max<std::int64_t>(rank - 1, 1)), 1);
  }
  return ctx.Give(ctx.Op("PRelu", {ctx.In(), ctx.Weights(layer->slope(), dims)}));
}

Status Elu(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_ELU();
  const float alpha = layer == nullptr ? 1 : layer->alpha();
  return ctx.Give(ctx.Op("Elu", {ctx.In()}, {{"alpha", alpha}}));
}

Status Selu(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Selu()));
  return ctx.Give(
      ctx.Op("Selu", {ctx.In()}, {{"alpha", layer->alpha()}, {"gamma", layer->scale()}}));
}

// A list of the file along axis 1.
ValueId Column(OpImport& ctx, const flatbuffers::Vector<float>* values, std::int64_t channels) {
  const Result<std::int64_t> rank = ctx.Rank();
  if (!rank.ok()) {
    ctx.Fail(rank.status());
    return kNoValue;
  }
  Dims dims = {channels};
  dims.resize(static_cast<std::size_t>(std::max<std::int64_t>(*rank - 1, 1)), 1);
  return ctx.Weights(values, dims);
}

Status Scale(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Scale()));
  if (layer->external() != nullptr && layer->external()->size() > 0)
    return Unsupported("weights in a file of their own are not read")
        .Fix("convert the network again without --saveExternalData");
  ValueId y = ctx.Op("Mul", {ctx.In(), Column(ctx, layer->scale(), layer->channels())});
  if (layer->bias() != nullptr && layer->bias()->size() > 0)
    y = ctx.Op("Add", {y, Column(ctx, layer->bias(), layer->channels())});
  return ctx.Give(y);
}

Status BatchNorm(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_BatchNorm()));
  const Dims dims = {layer->channels()};
  return ctx.Give(
      ctx.Op("BatchNormalization",
             {ctx.In(), ctx.Weights(layer->slope(), dims), ctx.Weights(layer->bias(), dims),
              ctx.Weights(layer->mean(), dims), ctx.Weights(layer->variance(), dims)},
             {{"epsilon", layer->epsilon()}}));
}

Status InstanceNorm(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_BatchNorm()));
  const Dims dims = {layer->channels()};
  return ctx.Give(
      ctx.Op("InstanceNormalization",
             {ctx.In(), ctx.Weights(layer->slope(), dims), ctx.Weights(layer->bias(), dims)},
             {{"epsilon", layer->epsilon()}}));
}

Status LocalResponseNorm(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_LRN()));
  if (layer->region() != 0)
    return Unsupported("normalisation across channels is read, within one is not");
  return ctx.Give(ctx.Op("LRN", {ctx.In()},
                         {{"size", std::int64_t{layer->size()}},
                          {"alpha", layer->alpha()},
                          {"beta", layer->beta()},
                          {"bias", layer->bias()}}));
}

// Divided by the length of all channels at a place, or of a whole picture.
Status Normalize(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Normalize()));
  const IntList axes = layer->across_spatial() != 0 ? IntList{1, 2, 3} : IntList{1};
  ValueId sum = ctx.Op("ReduceSumSquare", {ctx.In(), ctx.Ints(axes)});
  sum = ctx.Op("Sqrt", {ctx.Op("Add", {sum, ctx.Scalar(layer->eps())})});
  const ValueId y = ctx.Op("Div", {ctx.In(), sum});
  const std::int64_t count = layer->scale() == nullptr ? 0 : layer->scale()->size();
  return ctx.Give(ctx.Op("Mul", {y, Column(ctx, layer->scale(), count)}));
}

// (x - mean) / sqrt(variance + epsilon) over the last axes, or x / sqrt(mean square + epsilon).
ValueId Normalized(OpImport& ctx, std::int64_t axes, float epsilon, bool rms) {
  IntList last;
  for (std::int64_t axis = -axes; axis < 0; ++axis) last.push_back(axis);
  const ValueId over = ctx.Ints(last);
  ValueId x = ctx.In();
  if (!rms) x = ctx.Op("Sub", {x, ctx.Op("ReduceMean", {x, over})});
  const ValueId mean = ctx.Op("ReduceMean", {ctx.Op("Mul", {x, x}), over});
  return ctx.Op("Div", {x, ctx.Op("Sqrt", {ctx.Op("Add", {mean, ctx.Scalar(epsilon)})})});
}

Status LayerNorm(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_LayerNorm()));
  if (layer->external() != nullptr && layer->external()->size() > 0)
    return Unsupported("weights in a file of their own are not read")
        .Fix("convert the network again without --saveExternalData");
  if (layer->group() > 1) return Unsupported("normalisation in groups is not read");
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  const auto axes = static_cast<std::int64_t>(ctx.List(layer->axes()).size());
  if (axes < 1 || axes > rank) return InvalidModel("{} axes of {} are normalised", axes, rank);
  Dims dims;
  for (std::int64_t axis = rank - axes; axis < rank; ++axis) {
    if (!ctx.InType().dim(axis).IsConst())
      return Unsupported("the size of axis {} is not known", axis);
    dims.push_back(ctx.InType().dim(axis).value());
  }
  const bool affine = layer->gamma() != nullptr && layer->gamma()->size() > 0;
  if (!affine) return ctx.Give(Normalized(ctx, axes, layer->epsilon(), layer->use_rms()));
  std::vector<ValueId> in = {ctx.In(), ctx.Weights(layer->gamma(), dims)};
  const bool has_beta = layer->beta() != nullptr && layer->beta()->size() > 0;
  const AttrMap attributes = {{"axis", -axes}, {"epsilon", layer->epsilon()}};
  if (!layer->use_rms()) {
    if (has_beta) in.push_back(ctx.Weights(layer->beta(), dims));
    return ctx.Give(ctx.Op("LayerNormalization", in, attributes));
  }
  const ValueId y = ctx.Op("RMSNormalization", in, attributes);
  return ctx.Give(has_beta ? ctx.Op("Add", {y, ctx.Weights(layer->beta(), dims)}) : y);
}

Status Softmax(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_Axis();
  return ctx.Give(ctx.Op("Softmax", {ctx.In()},
                         {{"axis", std::int64_t{layer == nullptr ? -1 : layer->axis()}}}));
}

// How the coordinate of a resized picture becomes one of the picture.
Result<std::string> CoordinatesOf(const schema::Interp& layer) {
  switch (layer.coordinates()) {
    case schema::Coordinates_NOT_SET:
      return std::string(layer.align_corners() ? "align_corners"
                         : layer.half_pixel()  ? "half_pixel"
                                               : "asymmetric");
    case schema::Coordinates_ALIGN_CORNERS:
      return std::string("align_corners");
    case schema::Coordinates_HALF_PIXELS:
      return std::string("half_pixel");
    case schema::Coordinates_PYTORCH_HALF_PIXELS:
      return std::string("pytorch_half_pixel");
    case schema::Coordinates_ASYMMETRIC:
      return std::string("asymmetric");
    default:
      return Unsupported("coordinates of way {} are not read",
                         static_cast<int>(layer.coordinates()));
  }
}

// The sizes of the result: said by the parameters, or by input 1 as sizes or as factors.
Status ResizeTo(OpImport& ctx, IntList axes, const IntList& sizes,
                const std::vector<float>& factors, AttrMap attributes) {
  if (ctx.Has(1) && ctx.InType(1).HasRank() && ctx.InType(1).rank() == 1) {
    // All axes may be said, not only those of the picture.
    const std::size_t said = axes.size() + 2;
    if (ctx.InType(1).dim(0).Is(static_cast<std::int64_t>(said))) axes.insert(axes.begin(), {0, 1});
  }
  attributes.Set("axes", axes);
  if (ctx.Has(1)) {
    if (!ctx.IsFloatIn(1))
      return ctx.Give(ctx.Op("Resize", {ctx.In(), kNoValue, kNoValue, ctx.AsInts(1)}, attributes));
    return ctx.Give(ctx.Op("Resize", {ctx.In(), kNoValue, ctx.In(1)}, attributes));
  }
  const bool sized = std::all_of(sizes.begin(), sizes.end(), [](std::int64_t s) { return s > 0; });
  if (sized)
    return ctx.Give(ctx.Op("Resize", {ctx.In(), kNoValue, kNoValue, ctx.Ints(sizes)}, attributes));
  const ValueId scales = ctx.Floats({static_cast<std::int64_t>(factors.size())}, factors);
  return ctx.Give(ctx.Op("Resize", {ctx.In(), kNoValue, scales}, attributes));
}

Result<AttrMap> InterpAttributes(const schema::Interp& layer) {
  enum Kind { kNearest = 1, kLinear, kCubic, kNearestRound };
  ATH_TRY(const std::string coordinates, CoordinatesOf(layer));
  AttrMap attributes = {{"coordinate_transformation_mode", coordinates}};
  const int kind = layer.type();
  if (kind < kNearest || kind > kNearestRound)
    return Unsupported("interpolation {} is not known; 1 to 4 are", kind);
  attributes.Set("mode", std::string(kind == kLinear  ? "linear"
                                     : kind == kCubic ? "cubic"
                                                      : "nearest"));
  if (kind == kCubic) attributes.Set("cubic_coeff_a", layer.cubic());
  if (kind == kNearest) attributes.Set("nearest_mode", std::string("floor"));
  if (kind == kNearestRound) attributes.Set("nearest_mode", std::string("round_prefer_floor"));
  return attributes;
}

Status Interp(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Interp()));
  ATH_TRY(AttrMap attributes, InterpAttributes(*layer));
  return ResizeTo(ctx, {2, 3}, {layer->height(), layer->width()},
                  {layer->height_scale(), layer->width_scale()}, std::move(attributes));
}

Status Interp3d(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_Interp()));
  ATH_TRY(AttrMap attributes, InterpAttributes(*layer));
  return ResizeTo(ctx, {2, 3, 4}, {layer->depth(), layer->height(), layer->width()},
                  {layer->depth_scale(), layer->height_scale(), layer->width_scale()},
                  std::move(attributes));
}

Status GridSample(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_GridSample()));
  if (layer->border() > schema::BorderMode_REFLECTION || layer->backward())
    return Unsupported("sampling of cubes is not read");
  const char* borders[] = {"zeros", "border", "reflection"};
  return ctx.Give(ctx.Op(
      "GridSample", {ctx.In(0), ctx.In(1)},
      {{"align_corners", std::int64_t{layer->align_corners()}},
       {"mode", std::string(layer->mode() == schema::SampleMode_NEAREST ? "nearest" : "linear")},
       {"padding_mode", std::string(borders[layer->border()])}}));
}

// Inputs: x, boxes [n, 4] and the number of the picture of each.
Status RoiAlign(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_RoiParameters()));
  const bool average = layer->pool_type() == schema::PoolType_AVERAGE;
  return ctx.Give(ctx.Op("RoiAlign", {ctx.In(0), ctx.In(1), ctx.As(ctx.In(2), DType::kI64)},
                         {{"coordinate_transformation_mode",
                           std::string(layer->aligned() ? "half_pixel" : "output_half_pixel")},
                          {"mode", std::string(average ? "avg" : "max")},
                          {"output_height", std::int64_t{layer->pooled_height()}},
                          {"output_width", std::int64_t{layer->pooled_width()}},
                          {"sampling_ratio", std::int64_t{std::max(layer->sampling_ratio(), 0)}},
                          {"spatial_scale", layer->spatial_scale()}}));
}

// Between formats: only the place of the channels is seen from outside.
Status ConvertTensor(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_TensorConvertInfo()));
  const bool from_last = layer->source() == schema::Format_NHWC,
             to_last = layer->dest() == schema::Format_NHWC;
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  ValueId y = ctx.In();
  if (from_last != to_last && rank > 2) {
    IntList perm = {0};
    if (from_last) perm.push_back(rank - 1);
    for (std::int64_t axis = from_last ? 1 : 2; axis < rank - (from_last ? 1 : 0); ++axis)
      perm.push_back(axis);
    if (to_last) perm.push_back(1);
    y = ctx.Transpose(y, perm);
  } else {
    y = ctx.Op("Identity", {y});
  }
  if (ctx.problem().ok()) ctx.net.formats[y] = layer->dest();
  return ctx.Give(y);
}

}  // namespace

// clang-format off
std::vector<Row> LayerRows() {
  return {
      {schema::OpType_InstanceNorm, 1, 1, InstanceNorm},
      {schema::OpType_ELU, 1, 1, Elu},
      {schema::OpType_Interp, 1, 2, Interp},
      {schema::OpType_LRN, 1, 1, LocalResponseNorm},
      {schema::OpType_Normalize, 1, 1, Normalize},
      {schema::OpType_PReLU, 1, 1, PRelu},
      {schema::OpType_ReLU, 1, 1, Relu},
      {schema::OpType_ReLU6, 1, 1, Relu6},
      {schema::OpType_Scale, 1, 1, Scale},
      {schema::OpType_Selu, 1, 1, Selu},
      {schema::OpType_Softmax, 1, 1, Softmax},
      {schema::OpType_Interp3D, 1, 2, Interp3d},
      {schema::OpType_ConvertTensor, 1, 1, ConvertTensor},
      {schema::OpType_ROIAlign, 3, 3, RoiAlign},
      {schema::OpType_BatchNorm, 1, 1, BatchNorm},
      {schema::OpType_LayerNorm, 1, 1, LayerNorm},
      {schema::OpType_GridSample, 2, 2, GridSample},
  };
}
// clang-format on

}  // namespace athanor::mnn
