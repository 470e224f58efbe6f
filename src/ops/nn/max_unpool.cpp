#include "core/checked.h"
#include "ops/nn/nn.h"
#include "ops/nn/window.h"

namespace athanor::ops {
namespace {

struct MaxUnpoolAttrs {
  std::vector<std::int64_t> kernel_shape;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> pads;
  template <class V>
  void Visit(V& v) {
    v("kernel_shape", kernel_shape, "size of the pooling window per spatial axis", kRequired);
    v("pads", pads, "padding of the pooling, first all begins, then all ends; empty: 0");
    v("strides", strides, "step of the pooling per spatial axis; empty: 1");
  }
};

// The shape that the pooling had as its input, as far as its output tells.
Result<Shape> Natural(const MaxUnpoolAttrs& attrs, const Shape& x) {
  ATH_TRY(const WindowSpec spec,
          MakeWindow(attrs.kernel_shape, attrs.strides, {}, attrs.pads, "NOTSET"));
  if (x.size() != spec.rank() + 2)
    return InvalidModel("a window of {} axes does not fit {}", spec.rank(), ToString(x));
  Shape shape = {x[0], x[1]};
  for (std::size_t a = 0; a < spec.rank(); ++a) {
    const Dim size = (x[a + 2] - Dim(1)) * Dim(spec.strides[a]) +
                     Dim(spec.kernel[a] - spec.pad_begin[a] - spec.pad_end[a]);
    if (size.IsConst() && size.value() < 0)
      return InvalidModel("spatial axis {}: the output would have {} elements", a, size.value());
    shape.push_back(size);
  }
  return shape;
}

Status InferMaxUnpool(InferCtx& ctx) {
  const Type& x = ctx.In(0);
  if (ctx.InDType(1) != DType::kI64) return InvalidModel("input 1 (indices) must be i64");
  ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (!x.HasRank()) return {};
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, x.rank()));
  for (std::int64_t a = 0; a < x.rank(); ++a) ATH_RETURN_IF_ERROR(ExpectDim(ctx, 1, a, x.dim(a)));
  ATH_TRY(Shape shape, Natural(ctx.Attrs<MaxUnpoolAttrs>(), *x.shape));
  if (ctx.Has(2)) {
    if (ctx.InDType(2) != DType::kI64) return InvalidModel("input 2 (output_shape) must be i64");
    const std::optional<Shape> wanted = ctx.Ints(2);
    if (wanted && wanted->size() != shape.size())
      return InvalidModel("output_shape has {} values; {} are expected", wanted->size(),
                          shape.size());
    const std::size_t rank = shape.size();
    shape = wanted ? *wanted : Shape(rank);
    for (const Dim& dim : shape) {
      if (dim.IsConst() && dim.value() < 0) return InvalidModel("output_shape is negative");
    }
  }
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status MaxUnpoolReference(RefCtx& ctx) {
  const Tensor& x = ctx.In(0);
  ATH_TRY(const Shape natural,
          Natural(ctx.Attrs<MaxUnpoolAttrs>(), Shape(x.dims().begin(), x.dims().end())));
  Dims from;
  for (const Dim& dim : natural) from.push_back(dim.IsConst() ? dim.value() : -1);
  const std::optional<std::int64_t> count = CheckedCount(from);
  if (!count) return InvalidModel("the output {} is too large", ToString(from));
  const Dims strides = Strides(from), to = ctx.Out(0).dims(), to_strides = Strides(to);
  const auto indices = ctx.Data<std::int64_t>(1);
  return Dispatch(FloatTypes{}, x.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> values = ctx.Data<T>(0);
    const std::span<T> y = ctx.OutData<T>(0);
    std::fill(y.begin(), y.end(), T(0.0F));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (indices[i] < 0 || indices[i] >= *count)
        return DataError("index {} is outside [0, {})", indices[i], *count);
      // Indices count in the natural shape; the wanted one may be larger at the end of each axis.
      std::int64_t left = indices[i], place = 0;
      for (std::size_t a = 0; a < from.size(); ++a) {
        const std::int64_t position = left / strides[a];
        left %= strides[a];
        if (position >= to[a])
          return DataError("index {} is outside the output {}", indices[i], ToString(to));
        place += position * to_strides[a];
      }
      y[static_cast<std::size_t>(place)] = values[i];
    }
    return {};
  });
}

}  // namespace

OpDef MaxUnpool() {
  return {
      .name = "MaxUnpool",
      .summary = "Puts each element back to where MaxPool found it; zeros elsewhere.",
      .inputs = {{"x", "what MaxPool gave, floating point"},
                 {"indices", "i64, MaxPool's second output"},
                 {"output_shape", "i64[rank], when pooling inputs of several sizes would give x",
                  kOptionalPort}},
      .outputs = {{"y", "[n, c, o1, ..., ok]"}},
      .attributes = Describe<MaxUnpoolAttrs>(),
      .infer = InferMaxUnpool,
      .reference = MaxUnpoolReference,
  };
}

}  // namespace athanor::ops
