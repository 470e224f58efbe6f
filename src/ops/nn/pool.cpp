// MaxPool, AveragePool, LpPool.
#include "ops/nn/pool.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/gradient.h"
#include "ops/nn/nn.h"
#include "ops/nn/pool_windows.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

using MaxTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t,
                          std::int8_t, std::uint8_t>;

Result<WindowSpec> Spec(const PoolAttrs& attrs) {
  if (attrs.kernel_shape.empty()) return InvalidModel("kernel_shape is empty");
  return MakeWindow(attrs.kernel_shape, attrs.strides, attrs.dilations, attrs.pads, attrs.auto_pad,
                    attrs.ceil_mode);
}

Status InferPool(InferCtx& ctx, const PoolAttrs& attrs) {
  ATH_TRY(const WindowSpec spec, Spec(attrs));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, static_cast<std::int64_t>(spec.rank()) + 2));
  const Shape in = ctx.In(0).HasRank() ? *ctx.In(0).shape : Shape(spec.rank() + 2);
  Shape out = {in[0], in[1]};
  for (std::size_t axis = 0; axis < spec.rank(); ++axis) {
    ATH_TRY(Dim size, WindowOutput(spec, axis, in[axis + 2]));
    out.push_back(std::move(size));
  }
  ctx.out[0] = Type::Tensor(ctx.InDType(0), std::move(out));
  return {};
}

template <class A>
Status InferFloatPool(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  return InferPool(ctx, ctx.Attrs<A>());
}

Status InferMax(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<MaxPoolAttrs>();
  if (attrs.storage_order != 0 && attrs.storage_order != 1)
    return InvalidModel("storage_order is {}; 0 or 1 is expected", attrs.storage_order);
  ATH_RETURN_IF_ERROR(InferPool(ctx, attrs));
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(DType::kI64, *ctx.out[0].shape);
  return {};
}

// The same position counted with the first spatial axis running fastest.
std::int64_t ColumnMajor(std::span<const WindowAxis> axes, std::int64_t offset) {
  std::int64_t index = 0;
  for (std::size_t a = axes.size(); a-- > 0;) {
    std::int64_t scale = 1;
    for (std::size_t b = 0; b < a; ++b) scale *= axes[b].in;
    index += offset % axes[a].in * scale;
    offset /= axes[a].in;
  }
  return index;
}

template <class T>
T Lowest() {
  if constexpr (std::is_integral_v<T>) {
    return std::numeric_limits<T>::lowest();
  } else {
    return T(-std::numeric_limits<float>::infinity());
  }
}

template <class T>
Status MaxOf(RefCtx& ctx, const PoolGeometry& pool, bool column_major) {
  const T* x = ctx.Data<T>(0).data();
  const std::span<T> y = ctx.OutData<T>(0);
  const bool wants_indices = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
  std::int64_t* indices = wants_indices ? ctx.OutData<std::int64_t>(1).data() : nullptr;
  const std::int64_t plane_size = InCount(pool.axes);
  ForEachWindow(pool, [&](std::int64_t plane, Window& window, std::size_t i) {
    const T* data = x + plane * plane_size;
    T best = Lowest<T>();
    std::int64_t where = -1;
    ForEachTap(pool.axes, window, [&](std::int64_t offset) {
      const T value = data[offset];
      // The first of equals; a NaN wins and stays.
      const bool better = value > best || value != value;
      if (where >= 0 && (best != best || !better)) return;
      best = value;
      where = offset;
    });
    y[i] = best;
    if (indices == nullptr) return;
    if (where >= 0 && column_major) where = ColumnMajor(pool.axes, where);
    indices[i] = where < 0 ? -1 : plane * plane_size + where;
  });
  return {};
}

Status MaxReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<MaxPoolAttrs>();
  ATH_TRY(const PoolGeometry pool, ResolvePool(attrs, ctx.In(0).dims()));
  return Dispatch(MaxTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    return MaxOf<typename decltype(tag)::Type>(ctx, pool, attrs.storage_order == 1);
  });
}

// Positions of the window that count with count_include_pad: inside the input or its padding, but
// not beyond, where ceil_mode lets the last window hang over.
std::int64_t PaddedTaps(std::span<const WindowAxis> axes, const Window& window) {
  std::int64_t count = 1;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    const WindowAxis& axis = axes[a];
    const std::int64_t left = axis.in + axis.pad_end - axis.Position(window.output[a], 0);
    count *= std::min(axis.kernel, (left + axis.dilation - 1) / axis.dilation);
  }
  return count;
}

Status AverageReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<AveragePoolAttrs>();
  ATH_TRY(const PoolGeometry pool, ResolvePool(attrs, ctx.In(0).dims()));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Sum = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    const std::span<T> y = ctx.OutData<T>(0);
    ForEachWindow(pool, [&](std::int64_t plane, Window& window, std::size_t i) {
      const T* data = x + plane * InCount(pool.axes);
      Sum sum = 0;
      std::int64_t count = 0;
      ForEachTap(pool.axes, window, [&](std::int64_t offset) {
        sum += static_cast<Sum>(data[offset]);
        ++count;
      });
      if (attrs.count_include_pad) count = PaddedTaps(pool.axes, window);
      y[i] = static_cast<T>(count == 0 ? Sum(0) : sum / static_cast<Sum>(count));
    });
    return {};
  });
}

Status InferLp(InferCtx& ctx) {
  if (ctx.Attrs<LpPoolAttrs>().p < 1)
    return InvalidModel("p is {}; 1 or more is expected", ctx.Attrs<LpPoolAttrs>().p);
  return InferFloatPool<LpPoolAttrs>(ctx);
}

Status LpReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<LpPoolAttrs>();
  ATH_TRY(const PoolGeometry pool, ResolvePool(attrs, ctx.In(0).dims()));
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using Sum = ComputeType<T>;
    const T* x = ctx.Data<T>(0).data();
    const std::span<T> y = ctx.OutData<T>(0);
    const auto p = static_cast<Sum>(attrs.p);
    ForEachWindow(pool, [&](std::int64_t plane, Window& window, std::size_t i) {
      const T* data = x + plane * InCount(pool.axes);
      Sum sum = 0;
      ForEachTap(pool.axes, window, [&](std::int64_t offset) {
        sum += std::pow(std::abs(static_cast<Sum>(data[offset])), p);
      });
      y[i] = static_cast<T>(std::pow(sum, 1 / p));
    });
    return {};
  });
}

// One operation per tap.
Dim PoolCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  Dim taps = 1;
  for (const std::int64_t k : ReadAttributes<PoolAttrs>(ctx.attributes).kernel_shape)
    taps = taps * Dim(k);
  return ElementCount(*ctx.out[0].shape) * taps;
}

template <class A>
OpDef Pool(std::string name, std::string summary, Status (*infer)(InferCtx&),
           Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "[n, c, d1, ..., dk]"}},
      .outputs = {{"y", "[n, c, o1, ..., ok]"}},
      .attributes = Describe<A>(),
      .infer = infer,
      .reference = reference,
      .flops = PoolCost,
  };
}

// The derivative goes to where each maximum was found; windows may overlap.
Status MaxGradient(GradientCtx& ctx) {
  AttrMap attributes = ctx.attributes();
  attributes.Set("storage_order", std::int64_t{0});
  const ValueId indices = ctx.Ops("MaxPool", {ctx.In(0)}, std::move(attributes), 2)[1];
  const std::int64_t count = CountOf(ctx.InDims(0));
  const ValueId zeros = ctx.Op("Expand", {ctx.Number(0), ctx.Integers({count})});
  const ValueId sums =
      ctx.Op("ScatterElements", {zeros, ctx.Reshape(indices, {-1}), ctx.Reshape(ctx.DOut(), {-1})},
             {{"axis", std::int64_t{0}}, {"reduction", std::string("add")}});
  ctx.Set(0, ctx.Reshape(sums, ctx.InDims(0)));
  return {};
}

// Each element of dy is shared out to its window. How many elements a window counts is a
// convolution of ones.
Status WindowAverageGradient(GradientCtx& ctx) {
  const auto attrs = ctx.Attrs<AveragePoolAttrs>();
  if (attrs.ceil_mode) return Unsupported("windows that end beyond the pads have no gradient");
  ATH_TRY(const PoolGeometry pool, ResolvePool(attrs, ctx.InDims(0)));
  Dims plane = {1, 1}, window = {1, 1}, windows = {ctx.InDims(0)[1], 1};
  std::vector<std::int64_t> strides, dilations, pads, ends, extra;
  for (const WindowAxis& axis : pool.axes) {
    plane.push_back(axis.in);
    window.push_back(axis.kernel);
    windows.push_back(axis.kernel);
    strides.push_back(axis.stride);
    dilations.push_back(axis.dilation);
    pads.push_back(axis.pad_begin);
    ends.push_back(axis.pad_end);
    const std::int64_t seen = (axis.out - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1;
    extra.push_back(axis.in - (seen - axis.pad_begin - axis.pad_end));
  }
  pads.insert(pads.end(), ends.begin(), ends.end());
  const auto ones = [&](const Dims& dims) {
    return ctx.Op("Expand", {ctx.Number(1), ctx.Integers(dims)});
  };
  const ValueId counts =
      attrs.count_include_pad
          ? ctx.Number(static_cast<double>(CountOf(window)))
          : ctx.Op("Conv", {ones(plane), ones(window)},
                   {{"dilations", dilations}, {"pads", pads}, {"strides", strides}});
  ctx.Set(0, ctx.Op("ConvTranspose", {ctx.Op("Div", {ctx.DOut(), counts}), ones(windows)},
                    {{"dilations", dilations},
                     {"group", ctx.InDims(0)[1]},
                     {"output_padding", extra},
                     {"pads", pads},
                     {"strides", strides}}));
  return {};
}

}  // namespace

Result<PoolGeometry> ResolvePool(const PoolAttrs& attrs, std::span<const std::int64_t> x) {
  ATH_TRY(const WindowSpec spec, Spec(attrs));
  if (x.size() < 3 || x.size() != spec.rank() + 2)
    return InvalidModel("a window of {} axes cannot move over {}", spec.rank(), ToString(x));
  PoolGeometry pool = {x[0] * x[1], {}};
  ATH_TRY(pool.axes, ResolveWindow(spec, x.subspan(2)));
  return pool;
}

OpDef MaxPool() {
  OpDef op =
      Pool<MaxPoolAttrs>("MaxPool", "The largest element of each window.", InferMax, MaxReference);
  op.outputs.push_back({"indices",
                        "i64, where each element was found: its place in x as one flat list",
                        kOptionalPort});
  op.fixed31 = MaxPoolFixed31;
  op.gradient = MaxGradient;
  return op;
}

OpDef AveragePool() {
  OpDef op = Pool<AveragePoolAttrs>("AveragePool", "The mean of each window.",
                                    InferFloatPool<AveragePoolAttrs>, AverageReference);
  op.fixed31 = AveragePoolFixed31;
  op.gradient = WindowAverageGradient;
  return op;
}

OpDef LpPool() {
  return Pool<LpPoolAttrs>("LpPool", "The p-norm of each window.", InferLp, LpReference);
}

}  // namespace athanor::ops
