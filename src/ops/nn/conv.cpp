#include "ops/nn/conv.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "ir/gradient.h"
#include "ops/elementwise.h"
#include "ops/nn/nn.h"
#include "ops/nn/tile.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

// Channels agree, groups divide them. Sizes that are not known yet are not checked.
Status CheckChannels(const ConvAttrs& attrs, const Dim& in_channels, const Shape& w) {
  if (attrs.group < 1) return InvalidModel("group is {}; 1 or more is expected", attrs.group);
  if (w[0].IsConst() && w[0].value() % attrs.group != 0) {
    return InvalidModel("{} output channels cannot be divided into {} groups", w[0].value(),
                        attrs.group);
  }
  if (!in_channels.IsConst()) return {};
  if (in_channels.value() % attrs.group != 0) {
    return InvalidModel("{} input channels cannot be divided into {} groups", in_channels.value(),
                        attrs.group);
  }
  if (w[1].IsConst() && w[1].value() != in_channels.value() / attrs.group) {
    return InvalidModel("the weight has {} input channels per group, the data has {}", w[1].value(),
                        in_channels.value() / attrs.group);
  }
  return {};
}

// The window, when the kernel's size is known from the attribute or the weight.
Result<std::optional<WindowSpec>> FindWindow(const ConvAttrs& attrs, const Shape& w) {
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < w.size(); ++i) {
    if (!w[i].IsConst()) break;
    kernel.push_back(w[i].value());
  }
  const std::size_t rank = w.size() - 2;
  if (!attrs.kernel_shape.empty()) {
    if (attrs.kernel_shape.size() != rank) {
      return InvalidModel("kernel_shape has {} values; {} are expected", attrs.kernel_shape.size(),
                          rank);
    }
    if (kernel.size() == rank && kernel != attrs.kernel_shape) {
      return InvalidModel("kernel_shape is {}, but the weight's window is {}",
                          ToString(attrs.kernel_shape), ToString(kernel));
    }
    kernel = attrs.kernel_shape;
  }
  if (kernel.size() != rank) return std::optional<WindowSpec>();
  ATH_TRY(WindowSpec spec,
          MakeWindow(kernel, attrs.strides, attrs.dilations, attrs.pads, attrs.auto_pad));
  return std::optional<WindowSpec>(std::move(spec));
}

Status CheckBias(const InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  if (!ctx.Has(2) || !ctx.In(2).HasRank() || !ctx.In(1).HasRank()) return {};
  const Dim &bias = ctx.In(2).dim(0), &channels = ctx.In(1).dim(0);
  if (bias.IsConst() && channels.IsConst() && !(bias == channels)) {
    return InvalidModel("the bias has {} values, the weight has {} output channels", bias.value(),
                        channels.value());
  }
  return {};
}

Status InferConv(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, 3));
  const auto attrs = ctx.Attrs<ConvAttrs>();
  const Type &x = ctx.In(0), &w = ctx.In(1);
  if (x.HasRank()) ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, x.rank()));
  if (!x.HasRank() && !w.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
    return CheckBias(ctx);
  }
  const std::size_t rank = x.HasRank() ? x.shape->size() : w.shape->size();
  const Shape data = x.HasRank() ? *x.shape : Shape(rank);
  const Shape weight = w.HasRank() ? *w.shape : Shape(rank);
  ATH_RETURN_IF_ERROR(CheckChannels(attrs, data[1], weight));
  ATH_RETURN_IF_ERROR(CheckBias(ctx));
  ATH_TRY(const std::optional<WindowSpec> window, FindWindow(attrs, weight));
  Shape out = {data[0], weight[0]};
  for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
    Dim size;
    if (window) {
      ATH_TRY(size, WindowOutput(*window, axis, data[axis + 2]));
    }
    out.push_back(size);
  }
  ctx.out[0] = Type::Tensor(x.dtype, std::move(out));
  return {};
}

// The inputs of kTile output positions, one row per weight of an output channel; 0 in the padding.
template <class T, class Sum>
void GatherTile(const T* x, std::int64_t channels, std::int64_t plane,
                std::span<const std::int64_t> offsets, Sum* column) {
  for (std::int64_t c = 0; c < channels; ++c, x += plane) {
    for (const std::int64_t offset : offsets)
      *column++ = offset < 0 ? Sum(0) : static_cast<Sum>(x[offset]);
  }
}

template <class T>
void Convolve(const ConvGeometry& conv, const T* x, const T* w, const T* bias, T* y) {
  using Sum = ComputeType<T>;
  const std::int64_t taps = TapCount(conv.axes), in = InCount(conv.axes);
  const std::int64_t out = OutCount(conv.axes), group = conv.group;
  const std::int64_t channels = conv.in_channels / group, depth = channels * taps;
  const std::int64_t rows = conv.out_channels / group;
  const std::vector<Sum> weight(w, w + conv.out_channels * depth);
  std::vector<Sum> column(static_cast<std::size_t>(depth * kTile));
  std::vector<std::int64_t> offsets;
  Sum acc[kTileRows][kTile];
  for (std::int64_t first = 0; first < out; first += kTile) {
    TapOffsets(conv.axes, first, kTile, offsets);
    const std::int64_t width = std::min(kTile, out - first);
    for (std::int64_t n = 0; n < conv.batch * group; ++n) {
      GatherTile(x + n * channels * in, channels, in, offsets, column.data());
      const std::int64_t base = n % group * rows;
      for (std::int64_t m = 0; m < rows; m += kTileRows) {
        const std::int64_t count = std::min(kTileRows, rows - m);
        MultiplyTile(weight.data() + (base + m) * depth, count, column.data(), depth, acc);
        for (std::int64_t r = 0; r < count; ++r) {
          const Sum offset = bias == nullptr ? Sum(0) : static_cast<Sum>(bias[base + m + r]);
          T* row = y + (n * rows + m + r) * out + first;
          for (std::int64_t j = 0; j < width; ++j) row[j] = static_cast<T>(acc[r][j] + offset);
        }
      }
    }
  }
}

Status ConvReference(RefCtx& ctx) {
  ATH_TRY(const ConvGeometry conv,
          ResolveConv(ctx.Attrs<ConvAttrs>(), ctx.In(0).dims(), ctx.In(1).dims()));
  if (ctx.Out(0).count() == 0) return {};
  // Without channels there are no weights either, and their number does not bound the window.
  if (conv.in_channels == 0) return DataError("a convolution over 0 input channels");
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    Convolve(conv, ctx.Data<T>(0).data(), ctx.Data<T>(1).data(),
             ctx.Has(2) ? ctx.Data<T>(2).data() : nullptr, ctx.OutData<T>(0).data());
    return {};
  });
}

Dim ConvCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank() || !ctx.in[1]->HasRank()) return Dim::Unknown();
  const Shape& w = *ctx.in[1]->shape;
  const Dim per_output = ElementCount(Shape(w.begin() + 1, w.end())) * Dim(2);
  const bool bias = ctx.in.size() > 2 && ctx.in[2] != nullptr;
  return ElementCount(*ctx.out[0].shape) * (per_output + Dim(bias ? 1 : 0));
}

std::vector<std::int64_t> SpatialAxes(std::size_t count) {
  std::vector<std::int64_t> axes(count);
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

// [m, c / g, taps] -> [c, m / g, taps]: the channels of each group exchanged, the taps turned
// round.
ValueId TurnedWeights(GradientCtx& ctx, const ConvGeometry& conv) {
  const std::size_t spatial = conv.axes.size();
  Dims grouped = {conv.group, conv.out_channels / conv.group, conv.in_channels / conv.group};
  Dims turned = {conv.in_channels, conv.out_channels / conv.group};
  std::vector<std::int64_t> perm = {0, 2, 1};
  for (std::size_t i = 0; i < spatial; ++i) {
    grouped.push_back(conv.axes[i].kernel);
    turned.push_back(conv.axes[i].kernel);
    perm.push_back(static_cast<std::int64_t>(3 + i));
  }
  const ValueId exchanged =
      ctx.Reshape(ctx.Transpose(ctx.Reshape(ctx.In(1), grouped), perm), turned);
  const auto all = [&](std::int64_t value) {
    return ctx.Integers(std::vector<std::int64_t>(spatial, value));
  };
  constexpr std::int64_t kBeforeFirst = std::numeric_limits<std::int64_t>::min();
  return ctx.Op("Slice", {exchanged, all(-1), all(kBeforeFirst), ctx.Integers(SpatialAxes(spatial)),
                          all(-1)});
}

// dx where the stride is 1 and the padding at most what the window reaches: dy convolved with the
// turned weights. In general it is the transposed convolution.
ValueId InputGradient(GradientCtx& ctx, const ConvGeometry& conv) {
  std::vector<std::int64_t> dilations, strides, begins, ends, turned_begins, turned_ends, extra;
  bool plain = true;
  for (const WindowAxis& axis : conv.axes) {
    const std::int64_t reach = axis.dilation * (axis.kernel - 1);
    dilations.push_back(axis.dilation);
    strides.push_back(axis.stride);
    begins.push_back(axis.pad_begin);
    ends.push_back(axis.pad_end);
    turned_begins.push_back(reach - axis.pad_begin);
    turned_ends.push_back(reach - axis.pad_end);
    const std::int64_t seen = (axis.out - 1) * axis.stride + reach + 1;
    extra.push_back(axis.in - (seen - axis.pad_begin - axis.pad_end));
    plain &= axis.stride == 1 && axis.pad_begin <= reach && axis.pad_end <= reach;
  }
  if (plain) {
    turned_begins.insert(turned_begins.end(), turned_ends.begin(), turned_ends.end());
    return ctx.Op("Conv", {ctx.DOut(), TurnedWeights(ctx, conv)},
                  {{"dilations", dilations}, {"group", conv.group}, {"pads", turned_begins}});
  }
  begins.insert(begins.end(), ends.begin(), ends.end());
  return ctx.Op("ConvTranspose", {ctx.DOut(), ctx.In(1)},
                {{"dilations", dilations},
                 {"group", conv.group},
                 {"output_padding", extra},
                 {"pads", begins},
                 {"strides", strides}});
}

// [n, g * k, d...] -> [k, g * n, d...]: the images become the channels that are summed over.
ValueId ImagesAsChannels(GradientCtx& ctx, ValueId value, const ConvGeometry& conv) {
  const std::int64_t channels = conv.in_channels / conv.group;
  Dims split = {conv.batch, conv.group, channels}, joined = {channels, conv.group * conv.batch};
  std::vector<std::int64_t> perm = {2, 1, 0};
  for (std::size_t i = 0; i < conv.axes.size(); ++i) {
    split.push_back(conv.axes[i].in);
    joined.push_back(conv.axes[i].in);
    perm.push_back(static_cast<std::int64_t>(3 + i));
  }
  return ctx.Reshape(ctx.Transpose(ctx.Reshape(value, split), perm), joined);
}

// dw: x convolved with dy as the window; strides and dilations change places. Positions the
// convolution never looked at give taps beyond the window, which are cut.
ValueId WeightGradient(GradientCtx& ctx, const ConvGeometry& conv) {
  std::vector<std::int64_t> dilations, strides, pads, ends, taps;
  for (const WindowAxis& axis : conv.axes) {
    dilations.push_back(axis.stride);
    strides.push_back(axis.dilation);
    pads.push_back(axis.pad_begin);
    ends.push_back(axis.pad_end);
    taps.push_back(axis.kernel);
  }
  pads.insert(pads.end(), ends.begin(), ends.end());
  const std::vector<std::int64_t> axes = SpatialAxes(conv.axes.size());
  std::vector<std::int64_t> exchange = {1, 0};
  exchange.insert(exchange.end(), axes.begin(), axes.end());
  const ValueId found = ctx.Op(
      "Conv", {ImagesAsChannels(ctx, ctx.In(0), conv), ctx.Transpose(ctx.DOut(), exchange)},
      {{"dilations", dilations}, {"group", conv.group}, {"pads", pads}, {"strides", strides}});
  const std::vector<std::int64_t> zeros(axes.size(), 0);
  const ValueId cut =
      ctx.Op("Slice", {found, ctx.Integers(zeros), ctx.Integers(taps), ctx.Integers(axes)});
  return ctx.Transpose(cut, exchange);
}

Status ConvGradient(GradientCtx& ctx) {
  ATH_TRY(const ConvGeometry conv,
          ResolveConv(ctx.Attrs<ConvAttrs>(), ctx.InDims(0), ctx.InDims(1)));
  if (ctx.Wants(0)) ctx.Set(0, InputGradient(ctx, conv));
  if (ctx.Wants(1)) ctx.Set(1, WeightGradient(ctx, conv));
  if (ctx.Wants(2)) {
    std::vector<std::int64_t> axes = SpatialAxes(conv.axes.size());
    axes.push_back(0);
    ctx.Set(2,
            ctx.Op("ReduceSum", {ctx.DOut(), ctx.Integers(axes)}, {{"keepdims", std::int64_t{0}}}));
  }
  return {};
}

}  // namespace

Result<ConvGeometry> ResolveConv(const ConvAttrs& attrs, std::span<const std::int64_t> x,
                                 std::span<const std::int64_t> w) {
  if (x.size() < 3 || x.size() != w.size())
    return InvalidModel("data {} and weight {} do not fit together", ToString(x), ToString(w));
  const Shape weight(w.begin(), w.end());
  ATH_RETURN_IF_ERROR(CheckChannels(attrs, x[1], weight));
  ATH_TRY(const std::optional<WindowSpec> window, FindWindow(attrs, weight));
  ConvGeometry conv = {
      .batch = x[0], .in_channels = x[1], .out_channels = w[0], .group = attrs.group};
  ATH_TRY(conv.axes, ResolveWindow(*window, x.subspan(2)));
  return conv;
}

OpDef Conv() {
  return {
      .name = "Conv",
      .summary =
          "Convolution over one or more spatial axes, optionally in groups of channels. "
          "Multiply-adds count as two operations.",
      .inputs = {{"x", "[n, c, d1, ..., dk], floating point"},
                 {"w", "[m, c / group, k1, ..., kk]"},
                 {"b", "[m], added to every position of an output channel", kOptionalPort}},
      .outputs = {{"y", "[n, m, o1, ..., ok]"}},
      .attributes = Describe<ConvAttrs>(),
      .infer = InferConv,
      .reference = ConvReference,
      .fixed31 = ConvFixed31,
      .gradient = ConvGradient,
      .flops = ConvCost,
  };
}

}  // namespace athanor::ops
