// Where data come from and where they end: inputs, constants, and layers for training only.
#include <algorithm>

#include "core/checked.h"
#include "frontends/caffe/layer_import.h"

namespace athanor::caffe {
namespace {

constexpr std::string_view kInputFix =
    "put layer { type: \"Input\" ... input_param { shape { dim: 1 dim: 3 dim: HEIGHT dim: WIDTH } "
    "} } "
    "in its place";

ValueId AddInput(LayerImport& ctx, std::size_t top, const Dims& dims) {
  Shape shape;
  for (const std::int64_t dim : dims) {
    if (dim < 1) ctx.Fail(InvalidModel("an input cannot have the shape {}", ToString(dims)));
    shape.push_back(dim);
  }
  if (!CheckedCount(dims)) ctx.Fail(InvalidModel("the shape {} is too large", ToString(dims)));
  if (!ctx.problem().ok()) return kNoValue;
  return ctx.graph.AddInput(ctx.tops[top], Type::Tensor(DType::kF32, std::move(shape)));
}

Status Input(LayerImport& ctx) {
  const std::vector<Params*> shapes = ctx.Param("input_param").Children("shape");
  if (shapes.empty()) return InvalidModel("the shape is missing").Fix(kInputFix);
  if (shapes.size() != 1 && shapes.size() != ctx.tops.size())
    return InvalidModel("{} shapes for {} blobs", shapes.size(), ctx.tops.size());
  for (std::size_t i = 0; i < ctx.tops.size(); ++i)
    ctx.outputs.push_back(AddInput(ctx, i, shapes[shapes.size() == 1 ? 0 : i]->Ints("dim")));
  return {};
}

// (x - mean) * scale, as data layers transform pictures; the input takes pixels as they are.
ValueId Transform(LayerImport& ctx, Params& param, ValueId x, std::int64_t channels) {
  std::vector<float> means = param.Floats("mean_value");
  const float scale = param.Float("scale", 1);
  if (param.Has("mean_file"))
    ctx.Fail(Unsupported("a mean picture (mean_file) is not read; mean_value is"));
  // Whether a picture is mirrored is drawn at random.
  param.Ignore({"mirror", "crop_size", "crop_h", "crop_w", "force_gray", "force_color"});
  if (means.empty()) return ctx.Affine(x, scale, 0);
  const auto count = static_cast<std::int64_t>(means.size());
  if (count != 1 && count != channels)
    ctx.Fail(InvalidModel("{} means for {} channels", count, channels));
  return ctx.Affine(ctx.Op("Sub", {x, ctx.Floats({1, count, 1, 1}, means)}), scale, 0);
}

// Data from a database or a list of files: the blob becomes an input, labels are left out.
std::function<Status(LayerImport&)> FromFiles(std::string_view field) {
  return [field](LayerImport& ctx) -> Status {
    Params &data = ctx.Param(field), &transform = ctx.Param("transform_param");
    data.Ignore({"source", "rand_skip", "backend", "force_encoded_color", "prefetch", "shuffle",
                 "root_folder", "is_color"});
    const std::int64_t crop = transform.Int("crop_size", 0);
    const std::int64_t height =
        transform.Int("crop_h", crop > 0 ? crop : data.Int("new_height", 0));
    const std::int64_t width = transform.Int("crop_w", crop > 0 ? crop : data.Int("new_width", 0));
    data.Ignore({"new_height", "new_width"});
    if (height < 1 || width < 1)
      return Unsupported("the size of the pictures is not said: crop_size would").Fix(kInputFix);
    // The files know; pictures have three channels unless grey ones are asked for.
    const std::int64_t channels =
        transform.Bool("force_gray", false) || !data.Bool("is_color", true) ? 1 : 3;
    const ValueId x = AddInput(ctx, 0, {data.Int("batch_size", 1), channels, height, width});
    return ctx.Give(Transform(ctx, transform, x, channels));
  };
}

Status MemoryData(LayerImport& ctx) {
  Params& param = ctx.Param("memory_data_param");
  Dims dims;
  for (const char* name : {"batch_size", "channels", "height", "width"})
    dims.push_back(param.Int(name, 0));
  const ValueId x = AddInput(ctx, 0, dims);
  return ctx.Give(Transform(ctx, ctx.Param("transform_param"), x, dims[1]));
}

// Constants of one value.
Status DummyData(LayerImport& ctx) {
  constexpr std::int64_t kMost = 1 << 24;
  Params& param = ctx.Param("dummy_data_param");
  const std::vector<Params*> fillers = param.Children("data_filler");
  std::vector<Dims> shapes;
  for (Params* shape : param.Children("shape")) shapes.push_back(shape->Ints("dim"));
  if (shapes.empty()) {
    const std::vector<std::int64_t> num = param.Ints("num"), channels = param.Ints("channels"),
                                    height = param.Ints("height"), width = param.Ints("width");
    for (std::size_t i = 0; i < num.size(); ++i) {
      if (std::min({channels.size(), height.size(), width.size()}) <= i)
        return InvalidModel("num, channels, height and width are not given equally often");
      shapes.push_back({num[i], channels[i], height[i], width[i]});
    }
  }
  const auto fits = [&](std::size_t n) { return n == 1 || n == ctx.tops.size(); };
  if (!fits(shapes.size()) || !(fillers.empty() || fits(fillers.size())))
    return InvalidModel("{} shapes and {} fillers for {} blobs", shapes.size(), fillers.size(),
                        ctx.tops.size());
  for (std::size_t i = 0; i < ctx.tops.size(); ++i) {
    float value = 0;
    if (!fillers.empty()) {
      Params& filler = *fillers[fillers.size() == 1 ? 0 : i];
      const std::string kind = filler.String("type");
      if (!kind.empty() && kind != "constant")
        return Unsupported("data drawn at random ({}) are not read; constants are", kind);
      value = filler.Float("value", 0);
    }
    const Dims& dims = shapes[shapes.size() == 1 ? 0 : i];
    const std::optional<std::int64_t> count = CheckedCount(dims);
    if (!count || *count > kMost)
      return Error(ErrorCode::kResource, "a constant of {} is too large", ToString(dims));
    ctx.outputs.push_back(
        ctx.Floats(dims, std::vector<float>(static_cast<std::size_t>(*count), value)));
  }
  return {};
}

Status Parameter(LayerImport& ctx) {
  const Dims dims = ctx.Param("parameter_param").Child("shape").Ints("dim");
  return ctx.Give(ctx.Weight(0, dims, Fill::kSpread));
}

// Measures and losses need labels, which nobody gives: they make nothing.
Status ForTraining(LayerImport& ctx) {
  ctx.outputs.assign(ctx.tops.size(), kNoValue);
  return {};
}

// Its inputs are read and not wanted.
Status Silence(LayerImport&) { return {}; }

Row Training(std::string_view type, std::string_view origin = "BVLC") {
  return {.type = type,
          .inputs = {0, kMany},
          .outputs = {0, kMany},
          .make = ForTraining,
          .needed = 0,
          .origin = origin};
}

}  // namespace

std::vector<Row> DataRows() {
  return {
      Training("Accuracy"),
      {.type = "AnnotatedData",
       .inputs = {0, 0},
       .outputs = {1, 2},
       .make = FromFiles("data_param"),
       .origin = "SSD"},
      Training("ContrastiveLoss"),
      {.type = "Data", .inputs = {0, 0}, .outputs = {1, 2}, .make = FromFiles("data_param")},
      Training("DetectionEvaluate", "SSD"),
      {.type = "DummyData", .inputs = {0, 0}, .outputs = {1, kMany}, .make = DummyData},
      Training("EuclideanLoss"),
      Training("HDF5Output"),
      Training("HingeLoss"),
      {.type = "ImageData",
       .inputs = {0, 0},
       .outputs = {1, 2},
       .make = FromFiles("image_data_param")},
      {.type = "Input", .inputs = {0, 0}, .outputs = {1, kMany}, .make = Input},
      {.type = "MemoryData", .inputs = {0, 0}, .outputs = {1, 2}, .make = MemoryData},
      Training("MultiBoxLoss", "SSD"),
      {.type = "Parameter", .inputs = {0, 0}, .make = Parameter},
      {.type = "Silence", .inputs = {0, kMany}, .outputs = {0, 0}, .make = Silence},
  };
}

}  // namespace athanor::caffe
