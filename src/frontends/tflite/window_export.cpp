#include "frontends/tflite/window_export.h"

#include <algorithm>
#include <cmath>

#include "frontends/nhwc/window.h"

namespace athanor::tflite {
namespace {

// The axis's attributes; those of a missing row are those of nothing.
Ints TwoOf(const OpExport& ctx, std::string_view name, std::size_t spatial) {
  Ints values = ctx.Attribute<Ints>(name, {});
  values.resize(spatial, 1);
  if (spatial == 1) values.insert(values.begin(), 1);
  return values;
}

std::int64_t ReachOf(const Window& window, std::size_t axis) {
  return (window.kernel[axis] - 1) * window.dilations[axis] + 1;
}

// With ceil_mode the last window may begin within the picture and end behind the padding.
Status RoundUp(const OpExport& ctx, Window& window, std::size_t axis, const Dim& in,
               const Dim& out) {
  if (ctx.Int("ceil_mode", 0) == 0) return {};
  if (!in.IsConst() || !out.IsConst())
    return Unsupported("ceil_mode needs a picture of known size");
  const std::int64_t needed = (out.value() - 1) * window.strides[axis] + ReachOf(window, axis);
  window.after[axis] = std::max(window.after[axis], needed - in.value() - window.before[axis]);
  return {};
}

Status ReadPadding(const OpExport& ctx, Window& window, std::size_t spatial) {
  const auto mode = ctx.Attribute<std::string>("auto_pad", "NOTSET");
  Ints pads = ctx.Attribute<Ints>("pads", {});
  pads.resize(2 * spatial, 0);
  window.before.assign(2, 0);
  window.after.assign(2, 0);
  const std::size_t first = 2 - spatial;  // of the axes that the graph has
  bool same = true;
  for (std::size_t i = 0; i < spatial; ++i) {
    const Dim in = ctx.InType().dim(static_cast<std::int64_t>(i) + 2);
    const Dim out = ctx.OutType().dim(static_cast<std::int64_t>(i) + 2);
    const auto amounts = SamePadding(window, first + i, in);
    if (mode == "NOTSET") {
      window.before[first + i] = pads[i];
      window.after[first + i] = pads[i + spatial];
      ATH_RETURN_IF_ERROR(RoundUp(ctx, window, first + i, in, out));
      same &= amounts == std::pair(window.before[first + i], window.after[first + i]);
    } else if (mode == "SAME_LOWER") {
      if (!amounts) return Unsupported("padding SAME_LOWER needs a picture of known size");
      window.before[first + i] = amounts->second;
      window.after[first + i] = amounts->first;
      same &= amounts->first == amounts->second;
    }
  }
  window.same = mode == "SAME_UPPER" || (mode != "VALID" && same);
  if (window.same) window.before = window.after = Ints(2, 0);
  return {};
}

}  // namespace

std::optional<std::pair<std::int64_t, std::int64_t>> SamePadding(const Window& window,
                                                                 std::size_t axis,
                                                                 const Dim& size) {
  const std::int64_t stride = window.strides[axis], reach = ReachOf(window, axis);
  if (!size.IsConst() && stride != 1) return std::nullopt;
  std::int64_t total = reach - 1;
  if (size.IsConst()) {
    const std::int64_t outputs = (size.value() + stride - 1) / stride;
    total = std::max<std::int64_t>((outputs - 1) * stride + reach - size.value(), 0);
  }
  return std::pair(total / 2, total - total / 2);
}

bool Window::Pads() const {
  const auto some = [](std::int64_t amount) { return amount != 0; };
  return std::any_of(before.begin(), before.end(), some) ||
         std::any_of(after.begin(), after.end(), some);
}

Result<Window> ReadWindow(const OpExport& ctx, const Ints& kernel) {
  const std::size_t spatial = kernel.size();
  if ((spatial != 1 && spatial != 2) || ctx.Rank() != static_cast<std::int64_t>(spatial) + 2)
    return Unsupported("windows over {} axes are not written; over 1 and 2 they are", spatial);
  Window window;
  window.kernel = kernel;
  if (spatial == 1) window.kernel.insert(window.kernel.begin(), 1);
  window.strides = TwoOf(ctx, "strides", spatial);
  window.dilations = TwoOf(ctx, "dilations", spatial);
  window.is_line = spatial == 1;
  ATH_RETURN_IF_ERROR(ReadPadding(ctx, window, spatial));
  for (const auto* amounts : {&window.before, &window.after}) {
    if (std::any_of(amounts->begin(), amounts->end(), [](std::int64_t n) { return n < 0; }))
      return Unsupported("padding of less than 0 is not written");
  }
  return window;
}

TensorIndex PictureFor(OpExport& ctx, const Window& window, float fill) {
  FileExport& file = ctx.file;
  TensorIndex picture = ctx.In(0, Axes::kLast);
  const Quantization scale = file.ScaleOf(picture);
  const auto add = [&](schema::BuiltinOperator code, std::vector<TensorIndex> inputs, Type type) {
    const TensorIndex result = file.AddTensor(ctx.node.name + "/picture", type, scale);
    file.AddOperator(code, std::move(inputs), {result});
    return result;
  };
  if (window.is_line) {
    Type type = file.TypeOf(picture);
    type.shape->insert(type.shape->begin() + 1, Dim(1));
    picture = add(schema::BuiltinOperator_EXPAND_DIMS, {picture, ctx.IntConstant(1)}, type);
  }
  if (!window.Pads()) return picture;
  Type type = file.TypeOf(picture);
  std::vector<std::int32_t> amounts(8, 0);
  for (std::size_t i = 0; i < 2; ++i) {
    amounts[2 * i + 2] = static_cast<std::int32_t>(window.before[i]);
    amounts[2 * i + 3] = static_cast<std::int32_t>(window.after[i]);
    (*type.shape)[i + 1] = (*type.shape)[i + 1] + window.before[i] + window.after[i];
  }
  const TensorIndex list = file.Constant(Tensor::FromVector<std::int32_t>({4, 2}, amounts), "pads");
  if (std::isnan(fill)) return add(schema::BuiltinOperator_PAD, {picture, list}, type);
  return add(schema::BuiltinOperator_PADV2, {picture, list, ctx.Number(fill)}, type);
}

Type PictureType(const OpExport& ctx, const Window& window) {
  Type type = ctx.OutType();
  type = PermutedType(type, nhwc::ChannelsLast(static_cast<std::size_t>(type.rank())));
  if (window.is_line) type.shape->insert(type.shape->begin() + 1, Dim(1));
  return type;
}

Status EmitWindow(OpExport& ctx, const Window& window, schema::BuiltinOperator code,
                  std::vector<TensorIndex> inputs, const FileExport::Options& options) {
  if (!window.is_line) return ctx.Emit(code, std::move(inputs), options, Axes::kLast);
  const TensorIndex result = ctx.file.NewTensor(ctx.results[0], Axes::kLast);
  const Quantization scale = ctx.file.ScaleOf(result);
  Type type = PictureType(ctx, window);
  type.dtype = ctx.file.TypeOf(result).dtype;
  const TensorIndex picture = ctx.file.AddTensor(ctx.node.name + "/picture", type, scale);
  ctx.file.AddOperator(code, std::move(inputs), {picture}, options);
  schema::SqueezeOptionsT squeeze;
  squeeze.squeeze_dims = {1};
  ctx.file.AddOperator(schema::BuiltinOperator_SQUEEZE, {picture}, {result}, With(squeeze));
  return {};
}

}  // namespace athanor::tflite
