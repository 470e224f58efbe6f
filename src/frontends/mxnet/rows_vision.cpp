// Pictures: other sizes, regions, boxes to start from.
#include <algorithm>
#include <cmath>

#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

constexpr std::int64_t kMostSize = 1 << 20;

ValueId Scales(OpImport& ctx, double y, double x) {
  return ctx.Floats({4}, {1, 1, static_cast<float>(y), static_cast<float>(x)});
}

// Bilinear growth is a transposed convolution with weights of its own.
ValueId GrownBilinear(OpImport& ctx, std::int64_t scale) {
  const std::int64_t kernel = 2 * scale - scale % 2, pad = scale / 2;
  return ctx.Op("ConvTranspose", {ctx.In(0), ctx.In(1)},
                {{"kernel_shape", IntList{kernel, kernel}},
                 {"strides", IntList{scale, scale}},
                 {"pads", IntList(4, pad)},
                 {"group", ctx.Static(ctx.In(0), 1)}});
}

void UpSampling(OpImport& ctx) {
  const std::int64_t scale = ctx.Int("scale", 1);
  const std::string_view kind = ctx.Text("sample_type");
  if (!ctx.Expect(scale >= 1 && scale <= 1024, "a scale of {}", scale)) return;
  if (kind == "bilinear") return ctx.Give(GrownBilinear(ctx, scale));
  ctx.Expect(kind == "nearest", "sample_type {} is not read; nearest and bilinear are",
             kind.substr(0, 40));
  ctx.Expect(ctx.count() == 1, "more than one input is not read");
  const auto factor = static_cast<double>(scale);
  ctx.Give(ctx.Op("Resize", {ctx.In(), kNoValue, Scales(ctx, factor, factor)},
                  {{"mode", std::string("nearest")},
                   {"coordinate_transformation_mode", std::string("asymmetric")},
                   {"nearest_mode", std::string("floor")}}));
}

void BilinearResize(OpImport& ctx) {
  const std::string_view mode = ctx.Text("mode", "size");
  if (!ctx.Expect(mode == "size" || mode == "like", "mode {} is not read; size and like are",
                  mode.substr(0, 40)))
    return;
  const ValueId x = ctx.In();
  const ValueId kept = ctx.Op("Shape", {x}, {{"start", std::int64_t{0}}, {"end", std::int64_t{2}}});
  ValueId sizes = kNoValue;
  if (mode == "like") {
    sizes = ctx.Op("Shape", {ctx.In(1)}, {{"start", std::int64_t{2}}, {"end", std::int64_t{4}}});
  } else if (ctx.IsGiven("scale_height")) {
    const auto grown = [&](std::int64_t axis, std::string_view name) {
      return static_cast<std::int64_t>(static_cast<double>(ctx.Static(x, axis)) *
                                       std::clamp(ctx.Real(name, 1), 0.0, 1024.0));
    };
    sizes = ctx.Ints({grown(2, "scale_height"), grown(3, "scale_width")});
  } else {
    sizes = ctx.Ints({ctx.Int("height", 1), ctx.Int("width", 1)});
  }
  const bool corners = ctx.Flag("align_corners", true);
  ctx.Give(ctx.Op(
      "Resize", {x, kNoValue, kNoValue, ctx.Join({kept, sizes}, 0)},
      {{"mode", std::string("linear")},
       {"coordinate_transformation_mode", std::string(corners ? "align_corners" : "half_pixel")}}));
}

// The mean of nearly equal parts, which may overlap, along one axis.
ValueId MeansOfParts(OpImport& ctx, ValueId x, std::int64_t axis, std::int64_t parts) {
  const std::int64_t size = ctx.Static(x, axis);
  std::vector<ValueId> means;
  for (std::int64_t i = 0; i < parts && ctx.ok(); ++i) {
    const std::int64_t begin = i * size / parts, end = ((i + 1) * size + parts - 1) / parts;
    means.push_back(ctx.Reduce("ReduceMean", ctx.Slice(x, axis, begin, end), {axis}, true));
  }
  return ctx.Join(means, axis);
}

void AdaptivePool(OpImport& ctx) {
  IntList outputs = ctx.IntsOf("output_size");
  if (outputs.empty()) outputs = {1};
  if (outputs.size() == 1) outputs.push_back(outputs[0]);
  ValueId y = ctx.In();
  if (outputs == IntList{1, 1}) return ctx.Give(ctx.Op("GlobalAveragePool", {y}));
  for (const std::int64_t parts : outputs)
    if (!ctx.Expect(parts >= 1 && parts <= 1024 && outputs.size() == 2, "an output of {}", parts))
      return;
  for (std::int64_t i = 0; i < 2; ++i)
    y = MeansOfParts(ctx, y, i + 2, outputs[static_cast<std::size_t>(i)]);
  ctx.Give(y);
}

// ---- regions

void RoiPooling(OpImport& ctx) {
  ctx.Give(ctx.Op("MaxRoiPool", {ctx.In(), ctx.In(1)},
                  {{"pooled_shape", ctx.IntsOf("pooled_size")},
                   {"spatial_scale", static_cast<float>(ctx.Real("spatial_scale", 1))}}));
}

// A region is the number of its picture and four coordinates.
void RoiAlign(OpImport& ctx) {
  const ValueId regions = ctx.In(1);
  const IntList sizes = ctx.IntsOf("pooled_size");
  ctx.Expect(!ctx.Flag("position_sensitive"), "position_sensitive = True is not read");
  if (!ctx.Expect(sizes.size() == 2, "pooled_size has {} numbers", sizes.size())) return;
  const ValueId pictures = ctx.Cast(ctx.Squeeze(ctx.Slice(regions, 1, 0, 1), {1}), DType::kI64);
  ctx.Give(ctx.Op("RoiAlign", {ctx.In(), ctx.Slice(regions, 1, 1, 5), pictures},
                  {{"output_height", sizes[0]},
                   {"output_width", sizes[1]},
                   {"sampling_ratio", std::max<std::int64_t>(ctx.Int("sample_ratio", -1), 0)},
                   {"spatial_scale", static_cast<float>(ctx.Real("spatial_scale", 1))},
                   {"coordinate_transformation_mode",
                    std::string(ctx.Flag("aligned") ? "half_pixel" : "output_half_pixel")}}));
}

// ---- boxes to start from

// Half the width and height of each box that stands at every place: all sizes with the first
// ratio, then the first size with the other ratios.
std::vector<std::pair<double, double>> HalfSizes(const std::vector<double>& sizes,
                                                 const std::vector<double>& ratios,
                                                 double flatness) {
  std::vector<std::pair<double, double>> halves;
  const auto add = [&](double size, double ratio) {
    const double root = std::sqrt(ratio);
    halves.emplace_back(size * flatness * root / 2, size / root / 2);
  };
  for (const double size : sizes) add(size, ratios[0]);
  for (std::size_t i = 1; i < ratios.size(); ++i) add(sizes[0], ratios[i]);
  return halves;
}

void PriorBoxes(OpImport& ctx) {
  const ValueId x = ctx.In();
  const std::int64_t height = ctx.Static(x, 2), width = ctx.Static(x, 3);
  const std::vector<double> sizes = ctx.RealsOf("sizes", {1}), ratios = ctx.RealsOf("ratios", {1});
  const std::vector<double> steps = ctx.RealsOf("steps", {-1, -1});
  const std::vector<double> offsets = ctx.RealsOf("offsets", {0.5, 0.5});
  const std::size_t kinds = sizes.size() + ratios.size() - 1;
  if (!ctx.Expect(!sizes.empty() && !ratios.empty() && steps.size() == 2 && offsets.size() == 2,
                  "sizes, ratios, steps and offsets are not complete") ||
      !ctx.Expect(height >= 1 && width >= 1 && height <= 4096 && width <= 4096 && kinds <= 64,
                  "{} boxes at {} x {} places", kinds, height, width))
    return;
  const double step_y = steps[0] > 0 ? steps[0] : 1.0 / static_cast<double>(height);
  const double step_x = steps[1] > 0 ? steps[1] : 1.0 / static_cast<double>(width);
  const auto halves =
      HalfSizes(sizes, ratios, static_cast<double>(height) / static_cast<double>(width));
  const bool clip = ctx.Flag("clip");
  std::vector<float> boxes;
  for (std::int64_t row = 0; row < height; ++row) {
    for (std::int64_t column = 0; column < width; ++column) {
      const double y = (static_cast<double>(row) + offsets[0]) * step_y;
      const double center = (static_cast<double>(column) + offsets[1]) * step_x;
      for (const auto& [w, h] : halves) {
        for (const double edge : {center - w, y - h, center + w, y + h})
          boxes.push_back(static_cast<float>(clip ? std::clamp(edge, 0.0, 1.0) : edge));
      }
    }
  }
  ctx.Give(ctx.Floats({1, static_cast<std::int64_t>(boxes.size()) / 4, 4}, boxes));
}

}  // namespace

std::vector<Row> VisionRows() {
  return {
      {"ROIPooling", RoiPooling, "", 2, 2},
      {"UpSampling", UpSampling, "", 1, -1},
      {"_contrib_AdaptiveAvgPooling2D", AdaptivePool},
      {"_contrib_BilinearResize2D", BilinearResize, "", 1, 2},
      {"_contrib_MultiBoxPrior MultiBoxPrior", PriorBoxes},
      {"_contrib_ROIAlign", RoiAlign, "", 2, 2},
  };
}

}  // namespace athanor::mxnet
