// DeformConv: convolution whose taps are moved by an input.
#include <cmath>

#include "ops/nn/conv.h"
#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct DeformConvAttrs {
  std::vector<std::int64_t> dilations;
  std::int64_t group = 1;
  std::vector<std::int64_t> kernel_shape;
  std::int64_t offset_group = 1;
  std::vector<std::int64_t> pads;
  std::vector<std::int64_t> strides;
  template <class V>
  void Visit(V& v) {
    v("dilations", dilations, "distance between taps per spatial axis; empty: 1");
    v("group", group, "channels are divided into this many independent groups");
    v("kernel_shape", kernel_shape, "size of the window; empty: that of w");
    v("offset_group", offset_group,
      "input channels are divided into this many groups, each with "
      "offsets and a mask of its own");
    v("pads", pads, "elements added, first all begins, then all ends; empty: 0");
    v("strides", strides, "step of the window per spatial axis; empty: 1");
  }
};

constexpr std::int64_t kMaxSpatial = 5;  // 2 neighbours per axis: 32 elements per tap
enum Input : std::size_t { kX, kW, kOffset, kBias, kMask };

// Everything known. Fails unless all shapes fit together.
Result<ConvGeometry> Resolve(const DeformConvAttrs& attrs, const Dims& x, const Dims& w,
                             const Dims& offset, const Dims* bias, const Dims* mask) {
  if (static_cast<std::int64_t>(x.size()) - 2 > kMaxSpatial) {
    return Unsupported("{} spatial axes are not implemented; 1 to {} are", x.size() - 2,
                       kMaxSpatial);
  }
  ATH_TRY(ConvGeometry conv, ResolveConv({.kernel_shape = attrs.kernel_shape,
                                          .strides = attrs.strides,
                                          .dilations = attrs.dilations,
                                          .pads = attrs.pads,
                                          .group = attrs.group},
                                         x, w));
  if (attrs.offset_group < 1 || conv.in_channels % attrs.offset_group != 0) {
    return InvalidModel("offset_group is {}; a divisor of the {} input channels is expected",
                        attrs.offset_group, conv.in_channels);
  }
  // No overflow: taps are elements of w, and offset_group is at most the channels of x.
  const std::int64_t taps = attrs.offset_group * TapCount(conv.axes);
  Dims expected = {x[0], taps * static_cast<std::int64_t>(conv.axes.size())};
  for (const WindowAxis& axis : conv.axes) expected.push_back(axis.out);
  if (offset != expected)
    return InvalidModel("offset is {}; {} is expected", ToString(offset), ToString(expected));
  expected[1] = taps;
  if (mask != nullptr && *mask != expected)
    return InvalidModel("mask is {}; {} is expected", ToString(*mask), ToString(expected));
  if (bias != nullptr && *bias != Dims{conv.out_channels})
    return InvalidModel("b is {}; [{}] is expected", ToString(*bias), conv.out_channels);
  return conv;
}

Status InferDeformConv(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, kX));
  for (const std::size_t i : {kW, kOffset, kBias, kMask})
    ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(kX, i));
  for (const std::size_t i : {kX, kW, kOffset}) ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(i, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(kBias, 1));
  const Type &x = ctx.In(kX), &w = ctx.In(kW), &offset = ctx.In(kOffset);
  const Type* known = x.HasRank() ? &x : w.HasRank() ? &w : &offset;
  ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (!known->HasRank()) return {};
  const std::int64_t rank = known->rank();
  for (const std::size_t i : {kX, kW, kOffset, kMask}) ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, rank));
  Shape shape(static_cast<std::size_t>(rank));
  if (offset.HasRank()) shape = *offset.shape;  // n and the spatial sizes are those of y
  if (x.HasRank() && !shape[0].IsConst()) shape[0] = x.dim(0);
  shape[1] = w.HasRank() ? w.dim(0) : Dim::Unknown();
  ctx.out[0].shape = std::move(shape);
  const auto dims = [&](std::size_t i) {
    return ctx.Has(i) ? ctx.In(i).StaticDims() : std::optional<Dims>();
  };
  const auto x_dims = dims(kX), w_dims = dims(kW), offset_dims = dims(kOffset);
  if (!x_dims || !w_dims || !offset_dims) return {};
  const auto bias = dims(kBias), mask = dims(kMask);
  return Resolve(ctx.Attrs<DeformConvAttrs>(), *x_dims, *w_dims, *offset_dims,
                 bias ? &*bias : nullptr, mask ? &*mask : nullptr)
      .status();
}

// One plane of x, read between elements; 0 outside.
template <class Real>
struct Plane {
  const Real* data = nullptr;
  std::span<const WindowAxis> axes = {};

  // `at` is one position per axis.
  Real Read(const Real* at) const {
    std::int64_t low[kMaxSpatial];
    Real part[kMaxSpatial];
    for (std::size_t a = 0; a < axes.size(); ++a) {
      // Also false for NaN.
      if (!(at[a] > -1 && at[a] < static_cast<Real>(axes[a].in))) return 0;
      const Real floor = std::floor(at[a]);
      low[a] = static_cast<std::int64_t>(floor);
      part[a] = at[a] - floor;
    }
    Real sum = 0;
    for (std::size_t corner = 0; corner < (std::size_t{1} << axes.size()); ++corner) {
      Real weight = 1;
      std::int64_t place = 0;
      bool inside = true;
      for (std::size_t a = 0; a < axes.size(); ++a) {
        const bool high = ((corner >> a) & 1) != 0;
        const std::int64_t index = low[a] + (high ? 1 : 0);
        weight *= high ? part[a] : 1 - part[a];
        inside = inside && axes[a].Inside(index);
        place = place * axes[a].in + index;
      }
      if (inside) sum += weight * data[place];
    }
    return sum;
  }
};

// Numbers that the loops below share.
template <class Real>
struct Work {
  ConvGeometry conv;
  std::int64_t offset_group = 1;
  std::int64_t taps = 0, in = 0, out = 0;  // per window, plane of x, plane of y
  std::vector<Real> x = {}, w = {}, offset = {}, bias = {}, mask = {};
};

// What every tap of every input channel reads for output position `o` of image n.
template <class Real>
void ReadTaps(const Work<Real>& work, std::int64_t n, std::int64_t o, std::vector<Real>& column) {
  const std::vector<WindowAxis>& axes = work.conv.axes;
  const auto rank = static_cast<std::int64_t>(axes.size());
  const std::int64_t channels = work.conv.in_channels;
  column.clear();
  for (std::int64_t c = 0; c < channels; ++c) {
    const std::int64_t group = c / (channels / work.offset_group);
    const Plane<Real> plane = {work.x.data() + (n * channels + c) * work.in, axes};
    for (std::int64_t tap = 0; tap < work.taps; ++tap) {
      const std::int64_t row = (n * work.offset_group + group) * work.taps + tap;
      Real at[kMaxSpatial];
      std::int64_t left_tap = tap, left_out = o;
      for (std::int64_t a = rank - 1; a >= 0; --a) {
        const WindowAxis& axis = axes[static_cast<std::size_t>(a)];
        at[a] = static_cast<Real>(axis.Position(left_out % axis.out, left_tap % axis.kernel)) +
                work.offset[static_cast<std::size_t>((row * rank + a) * work.out + o)];
        left_tap /= axis.kernel;
        left_out /= axis.out;
      }
      Real value = plane.Read(at);
      if (!work.mask.empty()) value *= work.mask[static_cast<std::size_t>(row * work.out + o)];
      column.push_back(value);
    }
  }
}

template <class Real>
std::vector<Real> Convolve(const Work<Real>& work) {
  const ConvGeometry& conv = work.conv;
  const std::int64_t rows = conv.out_channels / conv.group;
  const std::int64_t depth = conv.in_channels / conv.group * work.taps;
  std::vector<Real> y(static_cast<std::size_t>(conv.batch * conv.out_channels * work.out));
  std::vector<Real> column;
  for (std::int64_t n = 0; n < conv.batch; ++n) {
    for (std::int64_t o = 0; o < work.out; ++o) {
      ReadTaps(work, n, o, column);
      for (std::int64_t m = 0; m < conv.out_channels; ++m) {
        const Real* weight = work.w.data() + m * depth;
        const Real* values = column.data() + m / rows * depth;
        Real sum = work.bias.empty() ? Real(0) : work.bias[static_cast<std::size_t>(m)];
        for (std::int64_t k = 0; k < depth; ++k) sum += weight[k] * values[k];
        y[static_cast<std::size_t>((n * conv.out_channels + m) * work.out + o)] = sum;
      }
    }
  }
  return y;
}

Status DeformConvReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<DeformConvAttrs>();
  const auto dims = [&](std::size_t i) { return ctx.Has(i) ? &ctx.In(i).dims() : nullptr; };
  ATH_TRY(ConvGeometry conv,
          Resolve(attrs, *dims(kX), *dims(kW), *dims(kOffset), dims(kBias), dims(kMask)));
  if (ctx.Out(0).count() == 0) return {};
  if (conv.in_channels == 0) return DataError("a convolution over 0 input channels");
  return Dispatch(FloatTypes{}, ctx.In(kX).dtype(), [&](auto tag) -> Status {
    using Real = ComputeType<typename decltype(tag)::Type>;
    Work<Real> work = {.conv = std::move(conv), .offset_group = attrs.offset_group};
    work.taps = TapCount(work.conv.axes);
    work.in = InCount(work.conv.axes);
    work.out = OutCount(work.conv.axes);
    ATH_TRY(work.x, ReadAs<Real>(ctx.In(kX)));
    ATH_TRY(work.w, ReadAs<Real>(ctx.In(kW)));
    ATH_TRY(work.offset, ReadAs<Real>(ctx.In(kOffset)));
    if (ctx.Has(kBias)) {
      ATH_TRY(work.bias, ReadAs<Real>(ctx.In(kBias)));
    }
    if (ctx.Has(kMask)) {
      ATH_TRY(work.mask, ReadAs<Real>(ctx.In(kMask)));
    }
    return WriteAs(ctx.Out(0), Convolve(work));
  });
}

// The products, and per tap the interpolation between 2^k neighbours.
Dim DeformConvCost(const CostCtx& ctx) {
  const Type &x = *ctx.in[kX], &w = *ctx.in[kW];
  if (!ctx.out[0].HasRank() || !w.HasRank() || !x.HasRank()) return Dim::Unknown();
  const Dim window = ElementCount(Shape(w.shape->begin() + 2, w.shape->end()));
  const Shape& y = *ctx.out[0].shape;
  const Dim places = y[0] * ElementCount(Shape(y.begin() + 2, y.end()));
  const Dim products = places * y[1] * w.dim(1) * window * Dim(2);
  const std::int64_t neighbours = std::int64_t{1} << std::min<std::int64_t>(w.rank() - 2, 5);
  return products + places * x.dim(1) * window * Dim(2 * neighbours);
}

}  // namespace

OpDef DeformConv() {
  return {
      .name = "DeformConv",
      .summary =
          "Convolution whose taps are moved by offsets, which an earlier layer gives per output "
          "position; between elements x is interpolated, outside it is 0.",
      .inputs = {{"x", "[n, c, d1, ..., dk], floating point"},
                 {"w", "[m, c / group, k1, ..., kk]"},
                 {"offset", "[n, offset_group * k1 * ... * kk * k, o1, ..., ok], in elements"},
                 {"b", "[m], added to every position of an output channel", kOptionalPort},
                 {"mask", "[n, offset_group * k1 * ... * kk, o1, ..., ok], factors of the taps",
                  kOptionalPort}},
      .outputs = {{"y", "[n, m, o1, ..., ok]"}},
      .attributes = Describe<DeformConvAttrs>(),
      .infer = InferDeformConv,
      .reference = DeformConvReference,
      .flops = DeformConvCost,
  };
}

}  // namespace athanor::ops
