// Borders, other sizes, blocks: what moves or mixes neighbouring elements of a picture.
#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// ---- padding: (begin, end) of the last axis, then of the one before it, ...

ValueId PadBy(OpImport& op, std::string_view amounts, const std::string& mode, ValueId value) {
  const ValueId x = op.Tensor("self");
  const Ints pad = op.IntList(amounts);
  const std::int64_t rank = op.Rank(x), axes = std::ssize(pad) / 2;
  if (!op.Expect(pad.size() % 2 == 0 && axes <= rank, "{} amounts for a tensor of rank {}",
                 pad.size(), rank))
    return kNoValue;
  Ints both(static_cast<std::size_t>(2 * rank), 0);
  for (std::int64_t i = 0; i < axes; ++i) {
    const auto axis = static_cast<std::size_t>(rank - 1 - i),
               from = static_cast<std::size_t>(2 * i);
    both[axis] = pad[from];
    both[axis + static_cast<std::size_t>(rank)] = pad[from + 1];
  }
  std::vector<ValueId> inputs = {x, op.IntConstants(both)};
  if (value != kNoValue) inputs.push_back(value);
  return op.Add("Pad", inputs, {{"mode", mode}});
}
Value PadAny(OpImport& op) {
  static constexpr std::pair<std::string_view, std::string_view> kModes[] = {
      {"constant", "constant"},
      {"reflect", "reflect"},
      {"replicate", "edge"},
      {"circular", "wrap"}};
  const std::string wanted = op.Text("mode");
  for (const auto& [name, mode] : kModes) {
    if (name != wanted) continue;
    ValueId value = kNoValue;
    if (mode == "constant" && op.Has("value"))
      value = op.Operand("value", op.DTypeOf(op.Tensor("self")));
    return op.Give(PadBy(op, "pad", std::string(mode), value));
  }
  op.Expect(false, "padding mode {} is not read", wanted);
  return {};
}
Value ConstantPad(OpImport& op) {
  const ValueId value = op.Operand("value", op.DTypeOf(op.Tensor("self")));
  return op.Give(PadBy(op, "pad", "constant", value));
}
Value PadOfRow(OpImport& op) { return op.Give(PadBy(op, "padding", op.row.op, kNoValue)); }

// ---- interpolation

struct Interpolation {
  std::string mode = "nearest";  // of Resize
  std::string coordinates = "asymmetric";
  std::string nearest = "floor";
  bool antialias = false;
};

bool HasScaleList(const OpImport& op) {
  return std::string_view(op.row.schema).find("scale_factors") != std::string_view::npos;
}

// `scales`: one per axis, or None; PyTorch maps coordinates with them where they are given.
Value Resized(OpImport& op, const Interpolation& how, const Value& size,
              const std::vector<Value>& scales) {
  // The overloads that take a list of scales call it "input".
  const ValueId x = op.Tensor(HasScaleList(op) ? "input" : "self");
  const std::int64_t rank = op.Rank(x);
  AttrMap attributes = {{"mode", how.mode}, {"coordinate_transformation_mode", how.coordinates}};
  if (how.mode == "nearest") attributes.Set("nearest_mode", how.nearest);
  if (how.mode == "cubic") attributes.Set("cubic_coeff_a", -0.75F);
  if (how.antialias) attributes.Set("antialias", std::int64_t{1});
  Ints axes;
  for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  attributes.Set("axes", axes);
  std::vector<float> factors;
  for (const Value& scale : scales) {
    if (scale.IsNumber()) factors.push_back(static_cast<float>(scale.AsReal()));
  }
  if (!factors.empty() && factors.size() == axes.size() && how.coordinates != "align_corners") {
    const ValueId by = op.Constant(Tensor::FromVector<float>({std::ssize(factors)}, factors));
    return op.Give(op.Add("Resize", {x, kNoValue, by}, std::move(attributes)));
  }
  if (size.IsNone() && factors.size() == axes.size()) {
    std::vector<Value> sizes;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const double have = static_cast<double>(op.Static(x, axes[i]));
      sizes.push_back(Value::Int(static_cast<std::int64_t>(have * factors[i])));
    }
    return op.Give(
        op.Add("Resize", {x, kNoValue, kNoValue, op.Shape(sizes)}, std::move(attributes)));
  }
  if (!op.Expect(size.IsSequence() && size.items->values.size() == axes.size(),
                 "{} axes have a size; the input has {}",
                 size.IsSequence() ? size.items->values.size() : 0, axes.size()))
    return {};
  return op.Give(op.Add("Resize", {x, kNoValue, kNoValue, op.Shape(size.items->values)},
                        std::move(attributes)));
}

std::string LinearCoordinates(const OpImport& op) {
  return op.Flag("align_corners") ? "align_corners" : "half_pixel";
}
// The scales as a list, or one argument per axis.
std::vector<Value> ScalesOf(const OpImport& op) {
  if (HasScaleList(op)) return op.Sizes("scale_factors");
  std::vector<Value> scales;
  const std::string_view schema = op.row.schema;
  for (const std::string_view name : {"scales", "scales_d", "scales_h", "scales_w"}) {
    if (schema.find(std::string("float? ") + std::string(name) + "=") != std::string_view::npos)
      scales.push_back(op.Arg(name));
  }
  return scales;
}
Value UpsampleNearest(OpImport& op) { return Resized(op, {}, op.Arg("output_size"), ScalesOf(op)); }
// The element in whose middle the point lies; between two the later.
Value UpsampleNearestExact(OpImport& op) {
  return Resized(op, {.coordinates = "half_pixel", .nearest = "round_prefer_ceil"},
                 op.Arg("output_size"), ScalesOf(op));
}
Value UpsampleLinear(OpImport& op) {
  return Resized(op, {.mode = "linear", .coordinates = LinearCoordinates(op)},
                 op.Arg("output_size"), ScalesOf(op));
}
Value UpsampleCubic(OpImport& op) {
  return Resized(op, {.mode = "cubic", .coordinates = LinearCoordinates(op)}, op.Arg("output_size"),
                 ScalesOf(op));
}
Value UpsampleLinearAntialias(OpImport& op) {
  return Resized(op, {.mode = "linear", .coordinates = LinearCoordinates(op), .antialias = true},
                 op.Arg("output_size"), ScalesOf(op));
}

Value GridSampler(OpImport& op) {
  static constexpr std::string_view kModes[] = {"linear", "nearest", "cubic"};
  static constexpr std::string_view kBorders[] = {"zeros", "border", "reflection"};
  const std::int64_t mode = op.Int("interpolation_mode"), border = op.Int("padding_mode");
  if (!op.Expect(mode >= 0 && mode < 3 && border >= 0 && border < 3, "mode {}, border {}", mode,
                 border))
    return {};
  const ValueId x = op.Tensor("input");
  return op.Give(op.Add("GridSample", {x, op.Tensor("grid")},
                        {{"mode", std::string(kModes[mode])},
                         {"padding_mode", std::string(kBorders[border])},
                         {"align_corners", std::int64_t{op.Flag("align_corners")}}}));
}
Value AffineGrid(OpImport& op) {
  const ValueId theta = op.Tensor("theta");
  return op.Give(op.Add("AffineGrid", {theta, op.Shape(op.Sizes("size"))},
                        {{"align_corners", std::int64_t{op.Flag("align_corners")}}}));
}

// ---- blocks

Value PixelShuffle(OpImport& op) {
  return op.Give(op.Add("DepthToSpace", {op.Tensor("self")},
                        {{"blocksize", op.Int("upscale_factor")}, {"mode", std::string("CRD")}}));
}
// [n, c, h * r, w * r] -> [n, c * r * r, h, w], the channel outermost.
Value PixelUnshuffle(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t r = op.Int("downscale_factor"), c = op.Static(x, 1);
  const std::int64_t h = op.Static(x, 2), w = op.Static(x, 3);
  if (!op.Expect(
          r >= 1 && r <= (1 << 16) && op.Rank(x) == 4 && h % r == 0 && w % r == 0 && c <= (1 << 24),
          "blocks of {} of {} x {}", r, h, w))
    return {};
  const ValueId parts = op.Reshape(x, {-1, c, h / r, r, w / r, r});
  return op.Give(op.Reshape(op.Permute(parts, {0, 1, 3, 5, 2, 4}), {-1, c * r * r, h / r, w / r}));
}
Value ChannelShuffle(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t groups = op.Int("groups"), channels = op.Static(x, 1), rank = op.Rank(x);
  if (!op.Expect(groups >= 1 && channels % groups == 0, "{} channels in {} groups", channels,
                 groups))
    return {};
  Ints perm = {0, 2, 1};
  std::vector<Value> parts = {op.SizeValue(x, 0), Value::Int(groups),
                              Value::Int(channels / groups)};
  for (std::int64_t axis = 2; axis < rank; ++axis) {
    perm.push_back(axis + 1);
    parts.push_back(op.SizeValue(x, axis));
  }
  const ValueId shuffled = op.Permute(op.Add("Reshape", {x, op.Shape(parts)}), perm);
  return op.Give(op.Add("Reshape", {shuffled, op.ShapeOf(x)}));
}

// Windows of a picture as columns: [n, c, h, w] -> [n, c * kh * kw, windows]. Each element of the
// window is a strided slice of the padded picture.
Value Im2Col(OpImport& op) {
  const Ints kernel = op.IntList("kernel_size", 2), dilation = op.IntList("dilation", 2);
  const Ints padding = op.IntList("padding", 2), stride = op.IntList("stride", 2);
  ValueId x = op.Tensor("self");
  const std::int64_t c = op.Static(x, 1);
  if (!op.Expect(op.Rank(x) == 4 && kernel[0] >= 1 && kernel[1] >= 1 && kernel[0] <= 64 &&
                     kernel[1] <= 64 && stride[0] >= 1 && stride[1] >= 1 && c <= (1 << 24),
                 "windows of {} x {} of rank {}", kernel[0], kernel[1], op.Rank(x)))
    return {};
  x = op.Add("Pad",
             {x, op.IntConstants({0, 0, padding[0], padding[1], 0, 0, padding[0], padding[1]})});
  Ints positions;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t axis = static_cast<std::int64_t>(i) + 2;
    positions.push_back((op.Static(x, axis) - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1);
  }
  if (!op.Expect(positions[0] >= 1 && positions[1] >= 1, "a window larger than the picture"))
    return {};
  std::vector<ValueId> taps;
  for (std::int64_t i = 0; i < kernel[0]; ++i) {
    for (std::int64_t j = 0; j < kernel[1]; ++j) {
      const std::int64_t top = i * dilation[0], left = j * dilation[1];
      ValueId tap = op.Slice(x, 2, top, top + (positions[0] - 1) * stride[0] + 1, stride[0]);
      tap = op.Slice(tap, 3, left, left + (positions[1] - 1) * stride[1] + 1, stride[1]);
      taps.push_back(op.Unsqueeze(tap, {2}));
    }
  }
  const ValueId all =
      taps.size() == 1 ? taps[0] : op.Add("Concat", taps, {{"axis", std::int64_t{2}}});
  return op.Give(op.Reshape(all, {-1, c * kernel[0] * kernel[1], positions[0] * positions[1]}));
}
Value Col2Im(OpImport& op) {
  const Ints padding = op.IntList("padding", 2);
  const ValueId x = op.Tensor("self");
  const ValueId size = op.IntConstants(op.IntList("output_size", 2));
  return op.Give(op.Add("Col2Im", {x, size, op.IntConstants(op.IntList("kernel_size", 2))},
                        {{"dilations", op.IntList("dilation", 2)},
                         {"pads", Ints{padding[0], padding[1], padding[0], padding[1]}},
                         {"strides", op.IntList("stride", 2)}}));
}

}  // namespace

// clang-format off
std::vector<Row> SampleRows() {
  return {
      {"_upsample_bilinear2d_aa(Tensor input, int[2]? output_size, bool align_corners, float[]? scale_factors)", UpsampleLinearAntialias},
      {"_upsample_bilinear2d_aa(Tensor self, int[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None)", UpsampleLinearAntialias},
      {"_upsample_nearest_exact1d(Tensor input, int[1]? output_size, float[]? scale_factors)", UpsampleNearestExact},
      {"_upsample_nearest_exact2d(Tensor input, int[2]? output_size, float[]? scale_factors)", UpsampleNearestExact},
      {"_upsample_nearest_exact3d(Tensor input, int[3]? output_size, float[]? scale_factors)", UpsampleNearestExact},
      {"affine_grid_generator(Tensor theta, int[] size, bool align_corners)", AffineGrid},
      {"channel_shuffle(Tensor self, int groups)", ChannelShuffle},
      {"col2im(Tensor self, int[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride)", Col2Im},
      {"constant_pad_nd(Tensor self, int[] pad, Scalar value=0)", ConstantPad},
      {"grid_sampler(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners)", GridSampler},
      {"grid_sampler_2d(Tensor input, Tensor grid, int interpolation_mode, int padding_mode, bool align_corners)", GridSampler},
      {"im2col(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride)", Im2Col},
      {"native_channel_shuffle(Tensor self, int groups)", ChannelShuffle},
      {"pad(Tensor self, int[] pad, str mode=constant, float? value=None)", PadAny},
      {"pixel_shuffle(Tensor self, int upscale_factor)", PixelShuffle},
      {"pixel_unshuffle(Tensor self, int downscale_factor)", PixelUnshuffle},
      {"reflection_pad1d(Tensor self, int[2] padding)", PadOfRow, "reflect"},
      {"reflection_pad2d(Tensor self, int[4] padding)", PadOfRow, "reflect"},
      {"reflection_pad3d(Tensor self, int[6] padding)", PadOfRow, "reflect"},
      {"replication_pad1d(Tensor self, int[2] padding)", PadOfRow, "edge"},
      {"replication_pad2d(Tensor self, int[4] padding)", PadOfRow, "edge"},
      {"replication_pad3d(Tensor self, int[6] padding)", PadOfRow, "edge"},
      {"upsample_bicubic2d(Tensor input, int[2]? output_size, bool align_corners, float[]? scale_factors)", UpsampleCubic},
      {"upsample_bicubic2d(Tensor self, int[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None)", UpsampleCubic},
      {"upsample_bilinear2d(Tensor input, int[2]? output_size, bool align_corners, float[]? scale_factors)", UpsampleLinear},
      {"upsample_bilinear2d(Tensor self, int[2] output_size, bool align_corners, float? scales_h=None, float? scales_w=None)", UpsampleLinear},
      {"upsample_linear1d(Tensor input, int[1]? output_size, bool align_corners, float[]? scale_factors)", UpsampleLinear},
      {"upsample_linear1d(Tensor self, int[1] output_size, bool align_corners, float? scales=None)", UpsampleLinear},
      {"upsample_nearest1d(Tensor input, int[1]? output_size, float[]? scale_factors)", UpsampleNearest},
      {"upsample_nearest1d(Tensor self, int[1] output_size, float? scales=None)", UpsampleNearest},
      {"upsample_nearest2d(Tensor input, int[2]? output_size, float[]? scale_factors)", UpsampleNearest},
      {"upsample_nearest2d(Tensor self, int[2] output_size, float? scales_h=None, float? scales_w=None)", UpsampleNearest},
      {"upsample_nearest3d(Tensor input, int[3]? output_size, float[]? scale_factors)", UpsampleNearest},
      {"upsample_nearest3d(Tensor self, int[3] output_size, float? scales_d=None, float? scales_h=None, float? scales_w=None)", UpsampleNearest},
      {"upsample_trilinear3d(Tensor input, int[3]? output_size, bool align_corners, float[]? scale_factors)", UpsampleLinear},
      {"upsample_trilinear3d(Tensor self, int[3] output_size, bool align_corners, float? scales_d=None, float? scales_h=None, float? scales_w=None)", UpsampleLinear},
  };
}
// clang-format on

}  // namespace athanor::pytorch
