#include "ops/nn/conv_transpose.h"

#include "ops/nn/nn.h"
#include "ops/nn/tile.h"

namespace athanor::ops {
namespace {

constexpr std::int64_t kMaxSize = std::int64_t{1} << 40;

// The attributes of one node, checked and filled in.
struct Transposed {
  WindowSpec window;
  std::vector<std::int64_t> output_padding;
  std::vector<std::int64_t> output_shape;  // or empty

  // What the output's size would be without padding.
  Dim Natural(std::size_t axis, const Dim& in) const {
    return (in - Dim(1)) * Dim(window.strides[axis]) +
           Dim(output_padding[axis] + window.Extent(axis));
  }
  Dim Output(std::size_t axis, const Dim& in) const {
    if (!output_shape.empty()) return output_shape[axis];
    const bool same =
        window.auto_pad == AutoPad::kSameUpper || window.auto_pad == AutoPad::kSameLower;
    if (same) return in * Dim(window.strides[axis]);
    return Natural(axis, in) - Dim(window.pad_begin[axis] + window.pad_end[axis]);
  }
  // Padding follows from the output's size instead of the other way round.
  bool FromOutput() const {
    return !output_shape.empty() || window.auto_pad == AutoPad::kSameUpper ||
           window.auto_pad == AutoPad::kSameLower;
  }
};

Result<Transposed> Read(const ConvTransposeAttrs& attrs, std::span<const std::int64_t> kernel) {
  Transposed result;
  ATH_TRY(result.window,
          MakeWindow(kernel, attrs.strides, attrs.dilations, attrs.pads, attrs.auto_pad));
  const std::size_t rank = kernel.size();
  result.output_padding = attrs.output_padding;
  if (result.output_padding.empty()) result.output_padding.assign(rank, 0);
  result.output_shape = attrs.output_shape;
  // Some writers give the batch and the channels as well.
  if (result.output_shape.size() == rank + 2)
    result.output_shape.erase(result.output_shape.begin(), result.output_shape.begin() + 2);
  if (result.output_padding.size() != rank ||
      (!result.output_shape.empty() && result.output_shape.size() != rank)) {
    return InvalidModel("output_padding and output_shape must have {} values", rank);
  }
  for (const std::int64_t value : result.output_padding) {
    if (value < 0 || value > kMaxSize)
      return InvalidModel("output_padding is {}; 0 or more is expected",
                          ToString(result.output_padding));
  }
  for (const std::int64_t value : result.output_shape) {
    if (value < 0 || value > kMaxSize)
      return InvalidModel("output_shape is {}; 0 or more is expected",
                          ToString(result.output_shape));
  }
  return result;
}

Status CheckChannels(const ConvAttrs& attrs, const Dim& in_channels, const Dim& weight_channels) {
  if (attrs.group < 1) return InvalidModel("group is {}; 1 or more is expected", attrs.group);
  if (!in_channels.IsConst()) return {};
  if (in_channels.value() % attrs.group != 0) {
    return InvalidModel("{} input channels cannot be divided into {} groups", in_channels.value(),
                        attrs.group);
  }
  if (weight_channels.IsConst() && !(weight_channels == in_channels)) {
    return InvalidModel("the weight has {} input channels, the data has {}",
                        weight_channels.value(), in_channels.value());
  }
  return {};
}

// The kernel's size from the attribute or the weight; empty when not known yet.
Result<std::vector<std::int64_t>> Kernel(const ConvAttrs& attrs, const Shape& w) {
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < w.size() && w[i].IsConst(); ++i) kernel.push_back(w[i].value());
  if (kernel.size() + 2 != w.size()) kernel.clear();
  if (attrs.kernel_shape.empty()) return kernel;
  if (attrs.kernel_shape.size() + 2 != w.size() ||
      (!kernel.empty() && kernel != attrs.kernel_shape)) {
    return InvalidModel("kernel_shape is {}, the weight is {}", ToString(attrs.kernel_shape),
                        ToString(w));
  }
  return attrs.kernel_shape;
}

Status InferConvTranspose(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(1, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  const auto attrs = ctx.Attrs<ConvTransposeAttrs>();
  const Type &x = ctx.In(0), &w = ctx.In(1);
  if (x.HasRank()) ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, x.rank()));
  if (!x.HasRank() && !w.HasRank()) {
    ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
    return {};
  }
  const std::size_t rank = x.HasRank() ? x.shape->size() : w.shape->size();
  const Shape data = x.HasRank() ? *x.shape : Shape(rank);
  const Shape weight = w.HasRank() ? *w.shape : Shape(rank);
  ATH_RETURN_IF_ERROR(CheckChannels(attrs, data[1], weight[0]));
  Shape out = {data[0], weight[1] * Dim(attrs.group)};
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, 2, 0, out[1]));
  ATH_TRY(const std::vector<std::int64_t> kernel, Kernel(attrs, weight));
  if (kernel.empty()) {
    out.resize(rank);
  } else {
    ATH_TRY(const Transposed transposed, Read(attrs, kernel));
    for (std::size_t axis = 0; axis + 2 < rank; ++axis) {
      const Dim size = transposed.Output(axis, data[axis + 2]);
      if (size.IsConst() && size.value() < 0)
        return InvalidModel("spatial axis {}: the output would have {} elements", axis,
                            size.value());
      out.push_back(size);
    }
  }
  ctx.out[0] = Type::Tensor(x.dtype, std::move(out));
  return {};
}

// For a tile of input positions: what each contributes to every (output channel, tap), then added
// to where it belongs.
template <class T>
void ConvolveTransposed(const ConvGeometry& conv, const T* x, const T* w, const T* bias, T* y) {
  using Sum = ComputeType<T>;
  const std::int64_t taps = TapCount(conv.axes), out = InCount(conv.axes);
  const std::int64_t in = OutCount(conv.axes), group = conv.group;
  const std::int64_t depth = conv.in_channels / group, channels = conv.out_channels / group;
  const std::int64_t rows = channels * taps;
  std::vector<Sum> weight(static_cast<std::size_t>(group * rows * depth));
  for (std::int64_t c = 0; c < conv.in_channels; ++c) {
    for (std::int64_t r = 0; r < rows; ++r)
      weight[static_cast<std::size_t>((c / depth * rows + r) * depth + c % depth)] =
          static_cast<Sum>(w[c * rows + r]);
  }
  std::vector<Sum> column(static_cast<std::size_t>(depth * kTile));
  std::vector<Sum> image(static_cast<std::size_t>(channels * out));
  std::vector<std::int64_t> offsets;
  Sum acc[kTileRows][kTile];
  for (std::int64_t n = 0; n < conv.batch * group; ++n, x += depth * in) {
    const std::int64_t g = n % group;
    for (std::int64_t m = 0; m < channels; ++m) {
      std::fill_n(image.begin() + m * out, out,
                  bias == nullptr ? Sum(0) : static_cast<Sum>(bias[g * channels + m]));
    }
    for (std::int64_t first = 0; first < in; first += kTile) {
      TapOffsets(conv.axes, first, kTile, offsets);
      for (std::int64_t c = 0; c < depth; ++c) {
        for (std::int64_t j = 0; j < kTile; ++j)
          column[static_cast<std::size_t>(c * kTile + j)] =
              first + j < in ? static_cast<Sum>(x[c * in + first + j]) : Sum(0);
      }
      for (std::int64_t r = 0; r < rows; r += kTileRows) {
        const std::int64_t count = std::min(kTileRows, rows - r);
        MultiplyTile(weight.data() + (g * rows + r) * depth, count, column.data(), depth, acc);
        for (std::int64_t i = 0; i < count; ++i) {
          Sum* plane = image.data() + (r + i) / taps * out;
          const std::int64_t* to = offsets.data() + (r + i) % taps * kTile;
          for (std::int64_t j = 0; j < kTile; ++j)
            if (to[j] >= 0) plane[to[j]] += acc[i][j];
        }
      }
    }
    for (const Sum value : image) *y++ = static_cast<T>(value);
  }
}

Status ConvTransposeReference(RefCtx& ctx) {
  ATH_TRY(const ConvGeometry conv, ResolveConvTranspose(ctx.Attrs<ConvTransposeAttrs>(),
                                                        ctx.In(0).dims(), ctx.In(1).dims()));
  if (ctx.Out(0).count() == 0) return {};
  if (conv.in_channels == 0) return DataError("a transposed convolution over 0 input channels");
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    ConvolveTransposed(conv, ctx.Data<T>(0).data(), ctx.Data<T>(1).data(),
                       ctx.Has(2) ? ctx.Data<T>(2).data() : nullptr, ctx.OutData<T>(0).data());
    return {};
  });
}

Dim ConvTransposeCost(const CostCtx& ctx) {
  if (!ctx.in[0]->HasRank() || !ctx.in[1]->HasRank()) return Dim::Unknown();
  const Shape& w = *ctx.in[1]->shape;
  return ElementCount(*ctx.in[0]->shape) * ElementCount(Shape(w.begin() + 1, w.end())) * Dim(2);
}

}  // namespace

Result<ConvGeometry> ResolveConvTranspose(const ConvTransposeAttrs& attrs,
                                          std::span<const std::int64_t> x,
                                          std::span<const std::int64_t> w) {
  if (x.size() < 3 || x.size() != w.size())
    return InvalidModel("data {} and weight {} do not fit together", ToString(x), ToString(w));
  ATH_RETURN_IF_ERROR(CheckChannels(attrs, x[1], w[0]));
  ATH_TRY(const std::vector<std::int64_t> kernel, Kernel(attrs, Shape(w.begin(), w.end())));
  ATH_TRY(const Transposed transposed, Read(attrs, kernel));
  ConvGeometry conv = {
      .batch = x[0], .in_channels = x[1], .out_channels = w[1] * attrs.group, .group = attrs.group};
  const WindowSpec& window = transposed.window;
  for (std::size_t axis = 0; axis < kernel.size(); ++axis) {
    const std::int64_t in = x[axis + 2];
    const Dim out = transposed.Output(axis, in), natural = transposed.Natural(axis, in);
    if (!out.IsConst() || !natural.IsConst() || out.value() < 0)
      return InvalidModel("spatial axis {}: the output's size is out of range", axis);
    std::int64_t begin = window.pad_begin[axis], end = window.pad_end[axis];
    if (transposed.FromOutput()) {
      const std::int64_t total = std::max<std::int64_t>(0, natural.value() - out.value());
      begin = window.auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
      end = total - begin;
    }
    conv.axes.push_back({.in = out.value(),
                         .out = in,
                         .kernel = kernel[axis],
                         .stride = window.strides[axis],
                         .dilation = window.dilations[axis],
                         .pad_begin = begin,
                         .pad_end = end});
  }
  return conv;
}

OpDef ConvTranspose() {
  return {
      .name = "ConvTranspose",
      .summary =
          "The transpose of a convolution: every input element adds the scaled kernel to the "
          "output around its place.",
      .inputs = {{"x", "[n, c, d1, ..., dk], floating point"},
                 {"w", "[c, m / group, k1, ..., kk]"},
                 {"b", "[m], added to every position of an output channel", kOptionalPort}},
      .outputs = {{"y", "[n, m, o1, ..., ok]"}},
      .attributes = Describe<ConvTransposeAttrs>(),
      .infer = InferConvTranspose,
      .reference = ConvTransposeReference,
      .flops = ConvTransposeCost,
  };
}

}  // namespace athanor::ops
