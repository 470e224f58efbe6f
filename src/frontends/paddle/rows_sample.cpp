// Borders, other sizes, blocks: what moves or mixes neighbouring elements of a picture.
#include <algorithm>

#include "frontends/paddle/op_import.h"

namespace athanor::paddle {
namespace {

// ---- borders

ValueId Padded(OpImport& ctx, ValueId x, const IntList& pads, const std::string& mode,
               double value) {
  static constexpr std::pair<std::string_view, std::string_view> kModes[] = {
      {"constant", "constant"},
      {"reflect", "reflect"},
      {"replicate", "edge"},
      {"edge", "edge"},
      {"circular", "wrap"}};
  for (const auto& [name, graph_mode] : kModes) {
    if (name != mode) continue;
    std::vector<ValueId> inputs = {x, ctx.Ints(pads)};
    if (mode == "constant") inputs.push_back(ctx.Number(value, ctx.DTypeOf(x)));
    return ctx.Op("Pad", inputs, {{"mode", std::string(graph_mode)}});
  }
  ctx.Fail(Unsupported("the padding {} is not read", mode));
  return kNoValue;
}

// (begin, end) of each axis, in order
void PadAll(OpImport& ctx) {
  const ValueId x = ctx.In("X");
  const IntList pairs = ctx.IntsOf("paddings");
  const std::int64_t rank = ctx.Rank(x);
  if (!ctx.Expect(std::ssize(pairs) == 2 * rank, "{} paddings of {} axes", pairs.size(), rank))
    return;
  IntList pads(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) pads[i / 2 + i % 2 * pairs.size() / 2] = pairs[i];
  ctx.Give(Padded(ctx, x, pads, "constant", ctx.KnownReal("pad_value")));
}

// The axes of a picture; pad3d names the last axis first, pad2d the first.
void PadPicture(OpImport& ctx, std::size_t axes, bool last_first) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const IntList pairs = ctx.KnownInts("paddings");
  if (!ctx.Expect(pairs.size() == 2 * axes && ctx.Rank(x) == std::ssize(pairs) / 2 + 2,
                  "{} paddings of {} axes", pairs.size(), ctx.Rank(x)))
    return;
  IntList pads(2 * (axes + 2), 0);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::size_t axis = 2 + (last_first ? axes - 1 - i : i);
    pads[axis] = pairs[2 * i];
    pads[axis + axes + 2] = pairs[2 * i + 1];
  }
  ctx.Give(ctx.ToBack(Padded(ctx, x, pads, ctx.Text("mode", "constant"),
                             ctx.Real(axes == 2 ? "pad_value" : "value"))));
}
void Pad2d(OpImport& ctx) { PadPicture(ctx, 2, false); }
void Pad3d(OpImport& ctx) { PadPicture(ctx, 3, true); }

// ---- other sizes

struct Sizes {
  std::vector<float> scales;  // empty: not known; one per axis
  ValueId sizes = kNoValue;   // i64, one per axis
};

// Sizes as tensors win over scales, these over sizes as attributes.
Sizes OutputSizes(OpImport& ctx, std::int64_t axes) {
  Sizes result;
  if (ctx.Has("SizeTensor")) {
    result.sizes = ctx.IntsValue("SizeTensor");
    return result;
  }
  RealList scales = ctx.RealsOf("scale");
  if (ctx.Has("Scale")) {
    const Tensor* known = ctx.graph.Constant(ctx.In("Scale"));
    if (!ctx.Expect(known != nullptr, "a scale that is computed while running is not read"))
      return result;
    const Result<std::vector<double>> numbers = ToDoubles(*known);
    if (numbers.ok()) scales = *numbers;
  }
  std::erase_if(scales, [](double scale) { return !(scale > 0); });
  if (scales.size() == 1) scales.resize(static_cast<std::size_t>(axes), scales[0]);
  if (std::ssize(scales) == axes && !ctx.Has("OutSize")) {
    result.scales.assign(scales.begin(), scales.end());
    return result;
  }
  if (ctx.Has("OutSize")) {
    result.sizes = ctx.IntsValue("OutSize");
    return result;
  }
  IntList sizes;
  for (const std::string_view name : {"out_d", "out_h", "out_w"}) {
    if (std::ssize(sizes) < axes &&
        (axes == 3 || (axes == 2 && name != "out_d") || name == "out_w"))
      sizes.push_back(ctx.Int(name, -1));
  }
  const bool known = std::all_of(sizes.begin(), sizes.end(), [](std::int64_t n) { return n > 0; });
  ctx.Expect(known, "an output of {}", ToString(sizes));
  result.sizes = ctx.Ints(sizes);
  return result;
}

AttrMap ResizeAttributes(OpImport& ctx, std::string_view mode, std::int64_t rank) {
  const bool corners = ctx.Flag("align_corners", true);
  const bool half_pixel = mode == "cubic" || (mode == "linear" && ctx.Int("align_mode", 1) == 0);
  const char* coordinates = corners ? "align_corners" : half_pixel ? "half_pixel" : "asymmetric";
  AttrMap attributes = {{"mode", std::string(mode)},
                        {"coordinate_transformation_mode", std::string(coordinates)}};
  if (mode == "nearest")
    attributes.Set("nearest_mode", std::string(corners ? "round_prefer_ceil" : "floor"));
  if (mode == "cubic") attributes.Set("cubic_coeff_a", -0.75F);
  IntList axes;
  for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  attributes.Set("axes", axes);
  return attributes;
}

void Interpolate(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t rank = ctx.Rank(x), axes = rank - 2;
  if (!ctx.Expect(axes >= 1 && axes <= 3, "a picture of {} axes", rank)) return;
  const Sizes out = OutputSizes(ctx, axes);
  AttrMap attributes = ResizeAttributes(ctx, ctx.row.op, rank);
  const bool corners = ctx.Flag("align_corners", true);
  std::vector<ValueId> inputs = {x, kNoValue, kNoValue, out.sizes};
  if (!out.scales.empty() && corners) {
    // The scale gives the size only; the corners say how far apart the points are.
    IntList sizes;
    for (std::int64_t i = 0; i < axes; ++i) {
      const double size = static_cast<double>(ctx.Static(x, i + 2));
      sizes.push_back(static_cast<std::int64_t>(
          std::min(size * out.scales[static_cast<std::size_t>(i)], 0x1p31)));
    }
    inputs[3] = ctx.Ints(sizes);
  } else if (!out.scales.empty()) {
    inputs = {x, kNoValue, ctx.Floats({axes}, out.scales)};
  }
  ctx.Give(ctx.ToBack(ctx.Op("Resize", inputs, std::move(attributes))));
}

// ---- blocks

void PixelShuffle(OpImport& ctx) {
  const ValueId y =
      ctx.Op("DepthToSpace", {ctx.ToFront(ctx.In("X"))},
             {{"blocksize", ctx.Int("upscale_factor", 1)}, {"mode", std::string("CRD")}});
  ctx.Give(ctx.ToBack(y));
}

// [n, c, h r, w r] -> [n, c r r, h, w], the channel outermost
void PixelUnshuffle(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t r = ctx.Int("downscale_factor", 1), c = ctx.Static(x, 1), h = ctx.Static(x, 2),
                     w = ctx.Static(x, 3);
  if (!ctx.Expect(r >= 1 && r <= (1 << 16) && ctx.Rank(x) == 4 && h % r == 0 && w % r == 0 &&
                      c <= (1 << 24),
                  "blocks of {} of {} x {}", r, h, w))
    return;
  const ValueId parts = ctx.Reshape(x, {0, c, h / r, r, w / r, r});
  ctx.Give(ctx.ToBack(
      ctx.Reshape(ctx.Transpose(parts, {0, 1, 3, 5, 2, 4}), {0, c * r * r, h / r, w / r})));
}

void ChannelShuffle(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t groups = ctx.Int("groups", ctx.Int("group", 1)), channels = ctx.Static(x, 1);
  if (!ctx.Expect(groups >= 1 && ctx.Rank(x) == 4 && channels % groups == 0,
                  "{} channels in {} groups", channels, groups))
    return;
  const ValueId shape = ctx.Op("Shape", {x});
  const ValueId parts = ctx.Reshape(x, {0, groups, channels / groups, -1});
  ctx.Give(ctx.ToBack(ctx.Op("Reshape", {ctx.Transpose(parts, {0, 2, 1, 3}), shape})));
}

// A quarter of the channels comes from the frame before, one from the frame behind.
void TemporalShift(OpImport& ctx) {
  const ValueId x = ctx.ToFront(ctx.In("X"));
  const std::int64_t frames = ctx.Int("seg_num", 1), c = ctx.Static(x, 1), h = ctx.Static(x, 2),
                     w = ctx.Static(x, 3);
  const double ratio = ctx.Real("shift_ratio", 0.25);
  if (!ctx.Expect(frames >= 1 && ratio >= 0 && ratio <= 0.5 && c <= (1 << 24),
                  "{} frames, ratio {}", frames, ratio))
    return;
  const auto first = static_cast<std::int64_t>(static_cast<double>(c) * ratio),
             second = static_cast<std::int64_t>(static_cast<double>(c) * 2 * ratio);
  const ValueId clips = ctx.Reshape(x, {-1, frames, c, h, w});
  const ValueId wide = Padded(ctx, clips, {0, 1, 0, 0, 0, 0, 1, 0, 0, 0}, "constant", 0);
  const auto moved = [&](std::int64_t from, std::int64_t begin, std::int64_t end) {
    return ctx.Slice(ctx.Slice(wide, 1, from, from + frames), 2, begin, end);
  };
  const ValueId joined =
      ctx.Join({moved(0, 0, first), moved(2, first, second), moved(1, second, c)}, 2);
  ctx.Give(ctx.ToBack(ctx.Reshape(joined, {-1, c, h, w})));
}

// ---- points between elements

void GridSampler(OpImport& ctx) {
  const std::string mode = ctx.Text("mode", "bilinear"), border = ctx.Text("padding_mode", "zeros");
  ctx.Give(ctx.Op("GridSample", {ctx.In("X"), ctx.In("Grid")},
                  {{"mode", mode == "bilinear" ? std::string("linear") : mode},
                   {"padding_mode", border},
                   {"align_corners", std::int64_t{ctx.Flag("align_corners", true)}}}),
           "Output");
}

void AffineGrid(OpImport& ctx) {
  ctx.Give(ctx.Op("AffineGrid", {ctx.In("Theta"), ctx.IntsValue("output_shape")},
                  {{"align_corners", std::int64_t{ctx.Flag("align_corners", true)}}}),
           "Output");
}

}  // namespace

// clang-format off
std::vector<Row> SampleRows() {
  constexpr std::string_view kPlaces = "X OutSize SizeTensor Scale";
  return {
      {"affine_grid", "affine_grid", "Theta output_shape=OutputShape", "Output", AffineGrid},
      {"bicubic_interp bicubic_interp_v2", "bicubic_interp", kPlaces, "Out", Interpolate, "cubic"},
      {"bilinear_interp bilinear_interp_v2", "bilinear_interp", kPlaces, "Out", Interpolate, "linear"},
      {"channel_shuffle shuffle_channel", "channel_shuffle shuffle_channel", "X", "Out", ChannelShuffle},
      {"grid_sampler", "grid_sample", "X Grid", "Output", GridSampler},
      {"linear_interp linear_interp_v2", "linear_interp", kPlaces, "Out", Interpolate, "linear"},
      {"nearest_interp nearest_interp_v2", "nearest_interp", kPlaces, "Out", Interpolate, "nearest"},
      {"pad", "pad", "X pad_value", "Out", PadAll},
      {"pad2d", "", "X paddings=Paddings", "Out", Pad2d},
      {"pad3d", "pad3d", "X paddings=Paddings", "Out", Pad3d, "", "value=pad_value"},
      {"pixel_shuffle", "pixel_shuffle", "X", "Out", PixelShuffle},
      {"pixel_unshuffle", "pixel_unshuffle", "X", "Out", PixelUnshuffle},
      {"temporal_shift", "temporal_shift", "X", "Out", TemporalShift},
      {"trilinear_interp trilinear_interp_v2", "trilinear_interp", kPlaces, "Out", Interpolate, "linear"},
  };
}
// clang-format on

}  // namespace athanor::paddle
