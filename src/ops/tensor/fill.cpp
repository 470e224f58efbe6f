// Tensors made from little: ConstantOfShape, EyeLike, OneHot, Range, Trilu.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/broadcast.h"
#include "ops/elementwise.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct ConstantOfShapeAttrs {
  Tensor value = Tensor::FromVector<float>({1}, {0.0F});
  template <class V>
  void Visit(V& v) {
    v("value", value, "one element: every element of the result");
  }
};

Status InferConstantOfShape(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 1));
  const Tensor value = ctx.Attrs<ConstantOfShapeAttrs>().value;
  if (value.count() != 1)
    return InvalidModel("the value has {} elements; 1 is expected", value.count());
  ctx.out[0] = Type::TensorOfUnknownRank(value.dtype());
  const Type& length = ctx.In(0);
  if (const std::optional<athanor::Shape> shape = ctx.Ints(0)) {
    for (const Dim& dim : *shape) {
      if (dim.IsConst() && dim.value() < 0) return InvalidModel("a dimension is {}", dim.value());
    }
    ctx.out[0].shape = *shape;
  } else if (length.HasRank() && length.dim(0).IsConst() && length.dim(0).value() <= 64) {
    ctx.out[0].shape = athanor::Shape(static_cast<std::size_t>(length.dim(0).value()));
  }
  const std::optional<Dims> dims = ctx.out[0].StaticDims();
  const bool small = dims && dims->size() <= 1 && (dims->empty() || (*dims)[0] <= kMaxFollowed);
  if (small && IsInteger(value.dtype())) {
    ATH_TRY(const std::vector<std::int64_t> element, ToInts(value));
    const std::int64_t count = dims->empty() ? 1 : (*dims)[0];
    ctx.out_ints[0] = athanor::Shape(static_cast<std::size_t>(count), Dim(element[0]));
  }
  return {};
}

Status ConstantOfShapeReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  FillElements(ctx.Out(0), ctx.Attrs<ConstantOfShapeAttrs>().value);
  return {};
}

struct EyeLikeAttrs {
  std::optional<DType> dtype;
  std::int64_t k = 0;
  template <class V>
  void Visit(V& v) {
    v("dtype", dtype, "element type of the result; that of the input when absent");
    v("k", k, "which diagonal: above the main one when positive, below when negative");
  }
};

Status InferEyeLike(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 2));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = ctx.Attrs<EyeLikeAttrs>().dtype.value_or(ctx.InDType(0));
  return {};
}

using WithBool =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
             std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool>;

Status EyeLikeReference(RefCtx& ctx) {
  Tensor& out = ctx.Out(0);
  const std::int64_t rows = out.dim(0), columns = out.dim(1);
  const std::int64_t k = std::clamp(ctx.Attrs<EyeLikeAttrs>().k, -rows, columns);
  FillZero(out);
  return Dispatch(WithBool{}, out.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto data = out.template MutableData<T>();
    for (std::int64_t i = std::max<std::int64_t>(0, -k); i < rows && i + k < columns; ++i)
      data[static_cast<std::size_t>(i * columns + i + k)] = static_cast<T>(1);
    return {};
  });
}

struct OneHotAttrs {
  std::int64_t axis = -1;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "where the new axis lies in the result");
  }
};

Result<std::int64_t> Depth(const Tensor& tensor) {
  if (tensor.count() != 1)
    return DataError("the depth has {} elements; 1 is expected", tensor.count());
  ATH_TRY(const std::vector<double> depth, ToDoubles(tensor));
  if (!(depth[0] >= 0 && depth[0] < 1e15)) return DataError("the depth is {}", depth[0]);
  return static_cast<std::int64_t>(depth[0]);
}

Status InferOneHot(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(2, 1));
  const Type& indices = ctx.In(0);
  ctx.out[0] = Type::TensorOfUnknownRank(ctx.InDType(2));
  if (!indices.HasRank()) return {};
  ATH_TRY(const std::int64_t axis,
          NormalizeAxis(ctx.Attrs<OneHotAttrs>().axis, indices.rank() + 1));
  Dim depth;
  if (const Tensor* constant = ctx.Const(1)) {
    ATH_TRY(depth, Depth(*constant));
  } else if (const std::optional<athanor::Shape> ints = ctx.Ints(1); ints && ints->size() == 1) {
    depth = (*ints)[0];
  }
  athanor::Shape shape = *indices.shape;
  shape.insert(shape.begin() + axis, depth);
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status OneHotReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor &indices = ctx.In(0), &values = ctx.In(2);
  if (values.count() != 2)
    return DataError("{} values are given; [off, on] is expected", values.count());
  Tensor& out = ctx.Out(0);
  ATH_TRY(const std::int64_t axis, NormalizeAxis(ctx.Attrs<OneHotAttrs>().axis, out.rank()));
  ATH_TRY(const std::vector<double> hot, ToDoubles(indices));
  FillElements(out, values);
  const std::int64_t depth = out.dim(axis);
  const std::int64_t inner =
      CountOf(out.dims(), static_cast<std::size_t>(axis) + 1, out.dims().size());
  for (std::size_t i = 0; i < hot.size(); ++i) {
    // Written so that NaN, too, is outside: then the whole line is off.
    if (!(hot[i] >= -static_cast<double>(depth) && hot[i] < static_cast<double>(depth))) continue;
    const auto index = static_cast<std::int64_t>(hot[i]);
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t line = (at / inner * depth + (hot[i] < 0 ? index + depth : index)) * inner;
    CopyElements(values, 1, out, line + at % inner, 1);
  }
  return {};
}

using RangeTypes =
    TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t>;

// How many steps of `delta` from `start` stay before `limit`.
template <class C>
Result<std::int64_t> RangeCount(C start, C limit, C delta) {
  if (delta == C(0)) return DataError("the step of a range is 0");
  if constexpr (std::is_integral_v<C>) {
    const auto first = static_cast<__int128>(start), last = static_cast<__int128>(limit);
    const auto step = static_cast<__int128>(delta);
    const __int128 count =
        step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step;
    if (count > std::numeric_limits<std::int64_t>::max() / 16)
      return Error(ErrorCode::kResource, "the range has too many elements");
    return std::max<std::int64_t>(0, static_cast<std::int64_t>(count));
  } else {
    const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) /
                                   static_cast<double>(delta));
    if (std::isnan(count) || count > 1e15)
      return Error(ErrorCode::kResource, "a range from {} to {} by {} has no end", start, limit,
                   delta);
    return static_cast<std::int64_t>(std::max(0.0, count));
  }
}

// Calls f(start, limit, delta) with the scalars in the type they compute in.
template <class F>
Status WithScalars(const Tensor* const (&scalars)[3], F f) {
  for (const Tensor* scalar : scalars) {
    if (scalar->count() != 1 || scalar->dtype() != scalars[0]->dtype())
      return DataError("start, limit and delta must be scalars of one element type");
  }
  return Dispatch(RangeTypes{}, scalars[0]->dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    using C = ComputeType<T>;
    return f(tag, static_cast<C>(scalars[0]->Data<T>()[0]),
             static_cast<C>(scalars[1]->Data<T>()[0]), static_cast<C>(scalars[2]->Data<T>()[0]));
  });
}

// The values of a short range of known ends.
void FollowRange(InferCtx& ctx, const Dim& start, const Dim& delta) {
  const Dim& count = ctx.out[0].dim(0);
  if (!count.IsConst() || count.value() > kMaxFollowed || start.IsUnknown()) return;
  athanor::Shape values;
  for (std::int64_t i = 0; i < count.value(); ++i) values.push_back(start + delta * Dim(i));
  ctx.out_ints[0] = std::move(values);
}

Status InferRange(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  for (const std::size_t i : {1, 2}) ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, i));
  ctx.out[0] = Type::Tensor(ctx.InDType(0), {Dim::Unknown()});
  Dim& count = (*ctx.out[0].shape)[0];
  if (ctx.Const(0) != nullptr && ctx.Const(1) != nullptr && ctx.Const(2) != nullptr) {
    ATH_RETURN_IF_ERROR(WithScalars({ctx.Const(0), ctx.Const(1), ctx.Const(2)},
                                    [&](auto, auto start, auto limit, auto delta) -> Status {
                                      ATH_TRY(count, RangeCount(start, limit, delta));
                                      return {};
                                    }));
  }
  const auto start = ctx.Ints(0), limit = ctx.Ints(1), delta = ctx.Ints(2);
  const bool single = start && limit && delta && start->size() == 1 && limit->size() == 1 &&
                      delta->size() == 1 && (*delta)[0].IsConst();
  if (!single || (*delta)[0].Is(0)) return {};
  const Dim& step = (*delta)[0];
  if (count.IsUnknown() && step.value() > 0) count = CeilDiv((*limit)[0] - (*start)[0], step);
  if (count.IsConst() && count.value() < 0) count = 0;
  FollowRange(ctx, (*start)[0], step);
  return {};
}

Status RangeReference(RefCtx& ctx) {
  return WithScalars({&ctx.In(0), &ctx.In(1), &ctx.In(2)},
                     [&](auto tag, auto start, auto limit, auto delta) -> Status {
                       using T = typename decltype(tag)::Type;
                       using C = ComputeType<T>;
                       ATH_TRY(const std::int64_t count, RangeCount(start, limit, delta));
                       ATH_RETURN_IF_ERROR(ctx.Allocate(0, kDTypeOf<T>, {count}));
                       const auto out = ctx.OutData<T>(0);
                       for (std::size_t i = 0; i < out.size(); ++i)
                         out[i] = static_cast<T>(static_cast<C>(start + static_cast<C>(i) * delta));
                       return {};
                     });
}

struct TriluAttrs {
  bool upper = true;
  template <class V>
  void Visit(V& v) {
    v("upper", upper, "1: keep what lies on or above the diagonal; 0: on or below");
  }
};

Status InferTrilu(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 2));
  ctx.out[0] = ctx.In(0);
  return {};
}

Status TriluReference(RefCtx& ctx) {
  const Tensor& input = ctx.In(0);
  Tensor& out = ctx.Out(0);
  const std::int64_t rows = input.dim(input.rank() - 2), columns = input.dim(input.rank() - 1);
  std::int64_t k = 0;
  if (ctx.Has(1)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(1)));
    if (given.size() != 1) return DataError("k has {} elements; 1 is expected", given.size());
    k = std::clamp(given[0], -rows - 1, columns + 1);
  }
  const bool upper = ctx.Attrs<TriluAttrs>().upper;
  FillZero(out);
  const std::int64_t lines = input.count() == 0 ? 0 : input.count() / columns;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::int64_t diagonal = line % rows + k;
    const std::int64_t first = upper ? std::clamp<std::int64_t>(diagonal, 0, columns) : 0;
    const std::int64_t last = upper ? columns : std::clamp<std::int64_t>(diagonal + 1, 0, columns);
    CopyElements(input, line * columns + first, out, line * columns + first, last - first);
  }
  return {};
}

}  // namespace

OpDef ConstantOfShape() {
  return {
      .name = "ConstantOfShape",
      .summary = "A tensor of a given shape with one value everywhere.",
      .inputs = {{"input", "i64 list: the shape"}},
      .outputs = {{"output", "element type of the value"}},
      .attributes = Describe<ConstantOfShapeAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferConstantOfShape,
      .reference = ConstantOfShapeReference,
  };
}

OpDef EyeLike() {
  return {
      .name = "EyeLike",
      .summary = "A matrix of the input's shape with ones on a diagonal and zeros elsewhere.",
      .inputs = {{"input", "rank 2; only its shape and type matter"}},
      .outputs = {{"output", "shape of the input"}},
      .attributes = Describe<EyeLikeAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferEyeLike,
      .reference = EyeLikeReference,
  };
}

OpDef OneHot() {
  return {
      .name = "OneHot",
      .summary =
          "A new axis that is 'on' at the index and 'off' elsewhere; off everywhere for an "
          "index outside [-depth, depth).",
      .inputs = {{"indices", "any numeric type"},
                 {"depth", "one number: size of the new axis"},
                 {"values", "[off, on]"}},
      .outputs = {{"output", "element type of values"}},
      .attributes = Describe<OneHotAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferOneHot,
      .reference = OneHotReference,
  };
}

OpDef Range() {
  return {
      .name = "Range",
      .summary = "start, start + delta, start + 2 * delta, ... as long as they lie before limit.",
      .inputs = {{"start", "scalar: floating point, i16, i32 or i64"},
                 {"limit", "scalar of the same type; not part of the result"},
                 {"delta", "scalar of the same type; not 0"}},
      .outputs = {{"output", "rank 1"}},
      .traits = kPure | kDataMovement,
      .infer = InferRange,
      .reference = RangeReference,
  };
}

OpDef Trilu() {
  return {
      .name = "Trilu",
      .summary = "The upper or lower triangle of the last two axes; zero elsewhere.",
      .inputs = {{"input", "any type, rank 2 or more"},
                 {"k", "i64 scalar: which diagonal; 0 when omitted", kOptionalPort}},
      .outputs = {{"output", "shape of the input"}},
      .attributes = Describe<TriluAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferTrilu,
      .reference = TriluReference,
  };
}

}  // namespace athanor::ops
