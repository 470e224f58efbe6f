// Cast and BitCast.
//
// Cast goes through one of three middle forms (double, 64-bit integer, text), so that n types need
// 2n loops and not n squared. The conversions of single numbers are in number_cast.h.
#include <cstring>

#include "ops/elementwise.h"
#include "ops/math/number_cast.h"

namespace athanor::ops {
namespace {

using CastFloats =
    TypeList<float, double, Half, BFloat16, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F4E2M1>;
using CastIntegers =
    TypeList<std::int64_t, std::int32_t, std::int16_t, std::int8_t, std::uint64_t, std::uint32_t,
             std::uint16_t, std::uint8_t, Int4, UInt4, Int2, UInt2, bool>;

struct CastAttrs {
  DType to = DType::kUndefined;
  bool saturate = true;
  std::string round_mode = "up";
  template <class V>
  void Visit(V& v) {
    v("to", to, "element type of the result", kRequired);
    v("saturate", saturate,
      "to 8-bit floats: values out of range become the largest number (1) or infinity or NaN (0)");
    v("round_mode", round_mode, "to f8e8m0: up, down or nearest");
  }
};

bool IsCastable(DType dtype) {
  return IsNumeric(dtype) || dtype == DType::kBool || dtype == DType::kString;
}

Status InferCast(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<CastAttrs>();
  for (const DType dtype : {ctx.InDType(0), attrs.to}) {
    if (!IsCastable(dtype))
      return Error(ErrorCode::kUnsupportedType,
                   "{} cannot be cast; real numbers, bool and strings can", Name(dtype));
  }
  if (attrs.round_mode != "up" && attrs.round_mode != "down" && attrs.round_mode != "nearest")
    return InvalidModel("round_mode is \"{}\"; up, down and nearest are accepted",
                        attrs.round_mode);
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = attrs.to;
  // Shape arithmetic in a type that holds every size.
  const bool wide = attrs.to == DType::kI64 || attrs.to == DType::kI32 || attrs.to == DType::kU64;
  if (wide && (IsInteger(ctx.InDType(0)) || ctx.InDType(0) == DType::kBool))
    ctx.out_ints[0] = ctx.Ints(0);
  return {};
}

// To floating point, from double or a 64-bit integer.
template <class From>
Status ToFloats(RefCtx& ctx, std::span<const From> values, const CastAttrs& attrs) {
  const FloatRounding rounding = {.saturate = attrs.saturate,
                                  .up = attrs.round_mode == "up",
                                  .down = attrs.round_mode == "down"};
  return Dispatch(CastFloats{}, attrs.to, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = FloatFrom<T>(values[i], rounding);
    return {};
  });
}

template <class From>
Status ToIntegers(RefCtx& ctx, std::span<const From> values, DType to) {
  return Dispatch(CastIntegers{}, to, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = IntegerFrom<T>(values[i]);
    return {};
  });
}

template <class From>
Status FromNumbers(RefCtx& ctx, std::span<const From> values, const CastAttrs& attrs) {
  return IsFloat(attrs.to) ? ToFloats(ctx, values, attrs) : ToIntegers(ctx, values, attrs.to);
}

Status FromText(RefCtx& ctx, const CastAttrs& attrs) {
  const auto x = ctx.Data<std::string>(0);
  const auto bad = [](const std::string& text) {
    return DataError("\"{}\" cannot be read as a number", text.substr(0, 64));
  };
  if (IsFloat(attrs.to)) {
    std::vector<double> values;
    for (const std::string& text : x) {
      const std::optional<double> value = ParseReal(text);
      if (!value) return bad(text);
      values.push_back(*value);
    }
    return FromNumbers(ctx, std::span<const double>(values), attrs);
  }
  std::vector<std::int64_t> values;
  for (const std::string& text : x) {
    const std::optional<std::int64_t> value = ParseInteger(text);
    if (!value) return bad(text);
    values.push_back(*value);
  }
  return FromNumbers(ctx, std::span<const std::int64_t>(values), attrs);
}

template <class... Ts>
Status ToText(RefCtx& ctx, TypeList<Ts...> types) {
  return Dispatch(types, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    const auto y = ctx.OutData<std::string>(0);
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = PrintNumber(x[i]);
    return {};
  });
}

Status CastReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<CastAttrs>();
  const DType from = ctx.In(0).dtype();
  if (from == attrs.to) {
    ctx.out[0] = ctx.InDatum(0);
    return {};
  }
  if (from == DType::kString) return FromText(ctx, attrs);
  if (attrs.to == DType::kString)
    return IsFloat(from) ? ToText(ctx, CastFloats{}) : ToText(ctx, CastIntegers{});
  if (IsFloat(from)) {
    ATH_TRY(const std::vector<double> values, ToDoubles(ctx.In(0)));
    return FromNumbers(ctx, std::span<const double>(values), attrs);
  }
  // Half of the range of u64 would come out negative.
  if (from == DType::kU64) return FromNumbers(ctx, ctx.Data<std::uint64_t>(0), attrs);
  ATH_TRY(const std::vector<std::int64_t> values, ToInts(ctx.In(0)));
  return FromNumbers(ctx, std::span<const std::int64_t>(values), attrs);
}

struct BitCastAttrs {
  DType to = DType::kUndefined;
  template <class V>
  void Visit(V& v) {
    v("to", to, "element type of the result, as wide as that of x", kRequired);
  }
};

Status InferBitCast(InferCtx& ctx) {
  const DType from = ctx.InDType(0), to = ctx.Attrs<BitCastAttrs>().to;
  if (ElementBits(from) == 0 || ElementBits(from) != ElementBits(to))
    return InvalidModel("the bits of {} cannot be read as {}: a type of the same width is expected",
                        Name(from), Name(to));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = to;
  return {};
}

Status BitCastReference(RefCtx& ctx) {
  const Tensor& x = ctx.In(0);
  const DType to = ctx.Attrs<BitCastAttrs>().to;
  if (ElementBits(to) < 8) {
    ATH_TRY(ctx.out[0], UnpackBits(to, x.dims(), PackBits(x)));
    return {};
  }
  if (to == DType::kBool) {
    // A bool holds 0 or 1 and nothing else.
    const auto* bytes = static_cast<const std::uint8_t*>(x.raw());
    const auto y = ctx.OutData<bool>(0);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] = bytes[i] != 0;
    return {};
  }
  if (x.bytes() > 0) std::memcpy(ctx.Out(0).mutable_raw(), x.raw(), x.bytes());
  return {};
}

}  // namespace

OpDef BitCast() {
  return UnaryOp("BitCast", "The same bits read as another element type of equal width.",
                 "any type but string", InferBitCast, BitCastReference, Describe<BitCastAttrs>());
}

OpDef Cast() {
  return UnaryOp("Cast",
                 "The same numbers in another element type. To integers: truncates; floats out of "
                 "range saturate, integers out of range keep their low bits. To and from strings: "
                 "decimal notation.",
                 "real numbers, bool or string", InferCast, CastReference, Describe<CastAttrs>());
}

}  // namespace athanor::ops
