// QuantizeLinear. The division happens in the precision asked for, rounding is to nearest even.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/quant/granularity.h"

namespace athanor::ops {
namespace {

struct QuantizeAttrs {
  std::int64_t axis = 1;
  std::int64_t block_size = 0;
  std::optional<DType> output_dtype;
  std::optional<DType> precision;
  bool saturate = true;
  std::string arithmetic = "float";
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "axis of per-axis and blocked scales; negative counts from the end");
    v("block_size", block_size, "elements along the axis that share a scale; 0: not blocked");
    v("output_dtype", output_dtype, "element type of y; that of y_zero_point, or u8, when absent");
    v("precision", precision,
      "floating-point type of the division x / y_scale; that of y_scale when absent");
    v("saturate", saturate,
      "8-bit floats only: values out of range become the largest finite value, otherwise infinity "
      "or NaN");
    v("arithmetic", arithmetic,
      "how y is computed from an integer accumulator when this node ends a quantised operator: "
      "\"float\", or \"fixed31\" for TFLite's 31-bit multiplier and shift");
  }
};

using QuantizedIntegers =
    TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, Int4, UInt4, Int2, UInt2>;
using QuantizedFloats = TypeList<F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F4E2M1>;

DType OutputDType(const QuantizeAttrs& attrs, std::optional<DType> zero_point) {
  if (zero_point) return *zero_point;
  return attrs.output_dtype.value_or(DType::kU8);
}

bool IsQuantized(DType dtype) {
  switch (dtype) {
    case DType::kI8:
    case DType::kU8:
    case DType::kI16:
    case DType::kU16:
    case DType::kI4:
    case DType::kU4:
    case DType::kI2:
    case DType::kU2:
    case DType::kF8E4M3:
    case DType::kF8E4M3Fnuz:
    case DType::kF8E5M2:
    case DType::kF8E5M2Fnuz:
    case DType::kF4E2M1:
      return true;
    default:
      return false;
  }
}

bool IsComputeFloat(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

Status InferQuantizeLinear(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<QuantizeAttrs>();
  if (attrs.arithmetic != "float" && attrs.arithmetic != "fixed31") {
    return InvalidModel("arithmetic is \"{}\"; \"float\" or \"fixed31\" is expected",
                        attrs.arithmetic);
  }
  ATH_RETURN_IF_ERROR(CheckGranularity(ctx, attrs.axis, attrs.block_size));
  if (!IsComputeFloat(ctx.InDType(0)) && ctx.InDType(0) != DType::kI32) {
    return InvalidModel("x is {}; f32, f16, bf16 or i32 is expected", Name(ctx.InDType(0)));
  }
  const DType scale = ctx.InDType(1);
  if (!IsComputeFloat(scale) && scale != DType::kI32 && scale != DType::kF8E8M0) {
    return InvalidModel("y_scale is {}; f32, f16, bf16, i32 or f8e8m0 is expected", Name(scale));
  }
  if (attrs.precision && !IsComputeFloat(*attrs.precision)) {
    return InvalidModel("precision is {}; f32, f16 or bf16 is expected", Name(*attrs.precision));
  }
  std::optional<DType> zero_point;
  if (ctx.Has(2)) zero_point = ctx.InDType(2);
  const DType output = OutputDType(attrs, zero_point);
  if (attrs.output_dtype && *attrs.output_dtype != output) {
    return InvalidModel("output_dtype is {}, but y_zero_point is {}", Name(*attrs.output_dtype),
                        Name(output));
  }
  if (!IsQuantized(output)) {
    return InvalidModel(
        "{} is not a quantised type; 2- to 16-bit integers and 4- and 8-bit floats "
        "are",
        Name(output));
  }
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = output;
  return {};
}

// The value as `precision` holds it.
float Round(DType precision, float value) {
  if (precision == DType::kF16) return Half(value);
  if (precision == DType::kBF16) return BFloat16(value);
  return value;
}

// x / y_scale, element by element.
Result<std::vector<float>> Quotients(const RefCtx& ctx, const Granularity& granularity,
                                     DType precision) {
  ATH_TRY(const std::vector<double> scales, ToDoubles(ctx.In(1)));
  std::vector<float> quotients(static_cast<std::size_t>(ctx.In(0).count()));
  using Inputs = TypeList<float, Half, BFloat16, std::int32_t>;
  ATH_RETURN_IF_ERROR(Dispatch(Inputs{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto x = ctx.Data<T>(0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float scale = Round(precision, static_cast<float>(scales[granularity.ScaleOf(i)]));
      quotients[i] = Round(precision, Round(precision, static_cast<float>(x[i])) / scale);
    }
    return {};
  }));
  return quotients;
}

template <class T>
constexpr std::pair<double, double> Range() {
  constexpr bool kSigned = T(0) > T(-1);
  constexpr int kBits = static_cast<int>(sizeof(T)) * 8;
  return kSigned ? std::pair(-static_cast<double>(1 << (kBits - 1)), (1 << (kBits - 1)) - 1.0)
                 : std::pair(0.0, static_cast<double>((1 << kBits) - 1));
}
template <>
constexpr std::pair<double, double> Range<Int4>() {
  return {-8, 7};
}
template <>
constexpr std::pair<double, double> Range<UInt4>() {
  return {0, 15};
}
template <>
constexpr std::pair<double, double> Range<Int2>() {
  return {-2, 1};
}
template <>
constexpr std::pair<double, double> Range<UInt2>() {
  return {0, 3};
}

Status QuantizeLinearReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<QuantizeAttrs>();
  const DType scale_type = ctx.In(1).dtype();
  const DType precision =
      attrs.precision.value_or(IsComputeFloat(scale_type) ? scale_type : DType::kF32);
  const Granularity granularity(ctx.In(0), ctx.In(1), attrs.axis, attrs.block_size);
  ATH_TRY(const std::vector<float> quotients, Quotients(ctx, granularity, precision));
  std::vector<double> zeros = {0.0};
  if (ctx.Has(2)) {
    ATH_TRY(zeros, ToDoubles(ctx.In(2)));
  }
  const auto zero = [&](std::size_t i) {
    return zeros.size() == 1 ? zeros[0] : zeros[granularity.ScaleOf(i)];
  };
  const DType output = ctx.Out(0).dtype();
  const bool away_from_zero = attrs.arithmetic == "fixed31";
  if (IsInteger(output)) {
    return Dispatch(QuantizedIntegers{}, output, [&](auto tag) -> Status {
      using T = typename decltype(tag)::Type;
      const auto [low, high] = Range<T>();
      const auto y = ctx.OutData<T>(0);
      for (std::size_t i = 0; i < y.size(); ++i) {
        // A NaN has no integer; it becomes the integer that stands for 0.
        const double rounded =
            away_from_zero ? std::round(quotients[i]) : std::nearbyint(quotients[i]);
        const double q = std::isnan(rounded) ? 0.0 : rounded;
        y[i] = static_cast<T>(static_cast<int>(std::clamp(q + zero(i), low, high)));
      }
      return {};
    });
  }
  return Dispatch(QuantizedFloats{}, output, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const auto y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = T(quotients[i] + static_cast<float>(zero(i)), attrs.saturate);
    return {};
  });
}

}  // namespace

OpDef QuantizeLinear() {
  return {
      .name = "QuantizeLinear",
      .summary =
          "saturate(round(x / y_scale) + y_zero_point), rounding to nearest even; one scale for "
          "the tensor, for each index of an axis, or for each block along an axis. NaN gives the "
          "zero point of an integer type. With the arithmetic \"fixed31\" halves are rounded away "
          "from zero, as TensorFlow Lite does; behind an operator on dequantised integers it says "
          "that the operator computes with integers only.",
      .inputs = {{"x", "f32, f16, bf16 or i32"},
                 {"y_scale", "scalar, vector along the axis, or blocks along the axis"},
                 {"y_zero_point", "type of y, shape of y_scale; 0 when omitted", kOptionalPort}},
      .outputs = {{"y", "integer of 2 to 16 bits or float of 4 or 8 bits, shape of x"}},
      .attributes = Describe<QuantizeAttrs>(),
      .infer = InferQuantizeLinear,
      .reference = QuantizeLinearReference,
  };
}

}  // namespace athanor::ops
