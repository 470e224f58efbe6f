#include "ops/nn/resize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/checked.h"
#include "ir/gradient.h"
#include "ops/nn/nn.h"
#include "ops/quant/fixed31.h"

namespace athanor::ops {
namespace {

struct ResizeAttrs {
  bool antialias = false;
  std::optional<std::vector<std::int64_t>> axes;
  std::string coordinate_transformation_mode = "half_pixel";
  float cubic_coeff_a = -0.75F;
  bool exclude_outside = false;
  float extrapolation_value = 0.0F;
  std::string keep_aspect_ratio_policy = "stretch";
  std::string mode = "nearest";
  std::string nearest_mode = "round_prefer_floor";
  template <class V>
  void Visit(V& v) {
    v("antialias", antialias, "widen the filter when the output is smaller");
    v("axes", axes, "which axes roi, scales and sizes speak of; absent: all, in order");
    v("coordinate_transformation_mode", coordinate_transformation_mode,
      "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric or "
      "tf_crop_and_resize");
    v("cubic_coeff_a", cubic_coeff_a, "shape of the cubic filter");
    v("exclude_outside", exclude_outside, "what lies outside has weight 0 instead of repeating");
    v("extrapolation_value", extrapolation_value, "outside, with tf_crop_and_resize");
    v("keep_aspect_ratio_policy", keep_aspect_ratio_policy,
      "how sizes are meant: stretch, not_larger or not_smaller");
    v("mode", mode, "nearest, linear or cubic");
    v("nearest_mode", nearest_mode,
      "round_prefer_floor, round_prefer_ceil, floor or ceil, of the position");
  }
};

enum Input : std::size_t { kX, kRoi, kScales, kSizes };
constexpr std::int64_t kMaxSize = std::int64_t{1} << 40;

template <std::size_t kCount>
Status ExpectOneOf(std::string_view name, std::string_view value,
                   const std::string_view (&allowed)[kCount]) {
  if (std::find(std::begin(allowed), std::end(allowed), value) != std::end(allowed)) return {};
  std::string list;
  for (const std::string_view option : allowed) list += fmt::format(" {}", option);
  return InvalidModel("{} is \"{}\"; one of{} is expected", name, value, list);
}

Status CheckNames(const ResizeAttrs& attrs) {
  ATH_RETURN_IF_ERROR(ExpectOneOf("mode", attrs.mode, {"nearest", "linear", "cubic"}));
  ATH_RETURN_IF_ERROR(ExpectOneOf("nearest_mode", attrs.nearest_mode,
                                  {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  ATH_RETURN_IF_ERROR(ExpectOneOf("keep_aspect_ratio_policy", attrs.keep_aspect_ratio_policy,
                                  {"stretch", "not_larger", "not_smaller"}));
  return ExpectOneOf("coordinate_transformation_mode", attrs.coordinate_transformation_mode,
                     {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                      "asymmetric", "tf_crop_and_resize"});
}

// The axes that are spoken of, in the order of the lists.
Result<std::vector<std::size_t>> Axes(const ResizeAttrs& attrs, std::int64_t rank) {
  std::vector<std::size_t> axes;
  if (!attrs.axes) {
    for (std::int64_t a = 0; a < rank; ++a) axes.push_back(static_cast<std::size_t>(a));
    return axes;
  }
  for (const std::int64_t axis : *attrs.axes) {
    ATH_TRY(const std::int64_t a, NormalizeAxis(axis, rank));
    if (std::find(axes.begin(), axes.end(), static_cast<std::size_t>(a)) != axes.end())
      return InvalidModel("axis {} is listed twice", axis);
    axes.push_back(static_cast<std::size_t>(a));
  }
  return axes;
}

struct Plan {
  Shape out;
  std::vector<double> scales;  // per axis of x; 1 where it is not known yet
};

Status FromScales(std::span<const double> scales, std::span<const std::size_t> axes, Plan& plan) {
  if (scales.size() != axes.size())
    return InvalidModel("scales has {} values; {} are expected", scales.size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double scale = scales[i];
    if (!(scale > 0) || scale > static_cast<double>(kMaxSize))
      return InvalidModel("scale {} is not a positive number", scale);
    plan.scales[axes[i]] = scale;
    Dim& dim = plan.out[axes[i]];
    if (dim.IsConst()) {
      const double size = std::floor(static_cast<double>(dim.value()) * scale);
      if (size > static_cast<double>(kMaxSize)) return InvalidModel("scale {} is too large", scale);
      dim = static_cast<std::int64_t>(size);
    } else if (scale == std::floor(scale)) {
      dim = dim * Dim(static_cast<std::int64_t>(scale));
    } else {
      dim = Dim::Unknown();
    }
  }
  return {};
}

Status FromSizes(const ResizeAttrs& attrs, const Shape& sizes, std::span<const std::size_t> axes,
                 Plan& plan) {
  if (sizes.size() != axes.size())
    return InvalidModel("sizes has {} values; {} are expected", sizes.size(), axes.size());
  bool known = true;
  std::vector<double> scales;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Dim &from = plan.out[axes[i]], &to = sizes[i];
    if (to.IsConst() && (to.value() < 0 || to.value() > kMaxSize))
      return InvalidModel("size {} is out of range", to.value());
    known = known && from.IsConst() && to.IsConst();
    if (!known) continue;
    if (from.value() == 0 && to.value() != 0) return InvalidModel("nothing can be resized");
    scales.push_back(from.value() == 0
                         ? 1.0
                         : static_cast<double>(to.value()) / static_cast<double>(from.value()));
  }
  const bool stretch = attrs.keep_aspect_ratio_policy == "stretch";
  if (known && !stretch && !scales.empty()) {
    const double one = attrs.keep_aspect_ratio_policy == "not_larger"
                           ? *std::min_element(scales.begin(), scales.end())
                           : *std::max_element(scales.begin(), scales.end());
    std::fill(scales.begin(), scales.end(), one);
  }
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = plan.out[axes[i]];
    if (known) plan.scales[axes[i]] = scales[i];
    if (stretch) {
      dim = sizes[i];
    } else if (known) {
      const double size = std::floor(static_cast<double>(dim.value()) * scales[i] + 0.5);
      if (size > static_cast<double>(kMaxSize)) return InvalidModel("the output is too large");
      dim = static_cast<std::int64_t>(size);
    } else {
      dim = Dim::Unknown();
    }
  }
  return {};
}

// An input that is there and not the empty list by which older files omit it.
bool Given(const InferCtx& ctx, std::size_t i) {
  if (!ctx.Has(i)) return false;
  return !(ctx.In(i).HasRank() && ctx.In(i).rank() == 1 && ctx.In(i).dim(0).Is(0));
}

Status InferResize(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ResizeAttrs>();
  ATH_RETURN_IF_ERROR(CheckNames(attrs));
  for (const Input i : {kRoi, kScales, kSizes}) ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 1));
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, kRoi));
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, kScales));
  if (ctx.Has(kSizes) && !IsInteger(ctx.InDType(kSizes))) return InvalidModel("sizes must be i64");
  const bool scaled = Given(ctx, kScales), sized = Given(ctx, kSizes);
  if (scaled == sized) return InvalidModel("either scales or sizes must be given");
  const Type& x = ctx.In(kX);
  ctx.out[0] = x;
  if (!x.HasRank()) return {};
  ATH_TRY(const std::vector<std::size_t> axes, Axes(attrs, x.rank()));
  Plan plan = {*x.shape, std::vector<double>(x.shape->size(), 1.0)};
  const std::optional<Shape> sizes = sized ? ctx.Ints(kSizes) : std::nullopt;
  if (sizes) {
    ATH_RETURN_IF_ERROR(FromSizes(attrs, *sizes, axes, plan));
  } else if (const Tensor* scales = ctx.Const(kScales); scaled && scales != nullptr) {
    ATH_TRY(const std::vector<double> values, ToDoubles(*scales));
    ATH_RETURN_IF_ERROR(FromScales(values, axes, plan));
  } else {
    for (const std::size_t axis : axes) plan.out[axis] = Dim::Unknown();
  }
  ctx.out[0].shape = std::move(plan.out);
  return {};
}

double Position(const ResizeAttrs& attrs, const ResizeAxis& plan, std::int64_t at) {
  const std::string& mode = attrs.coordinate_transformation_mode;
  const auto in = static_cast<double>(plan.in), y = static_cast<double>(at);
  const double out = plan.scale * in;
  const double half = (y + 0.5) / plan.scale - 0.5;
  if (mode == "asymmetric") return y / plan.scale;
  if (mode == "align_corners") return out == 1 ? 0 : y * (in - 1) / (out - 1);
  if (mode == "pytorch_half_pixel") return out == 1 ? -0.5 : half;
  if (mode == "half_pixel_symmetric")
    return in / 2 * (1 - static_cast<double>(plan.out) / out) + half;
  if (mode != "tf_crop_and_resize") return half;
  const double span = (plan.roi_end - plan.roi_begin) * (in - 1);
  return plan.roi_begin * (in - 1) + (out == 1 ? span / 2 : y * span / (out - 1));
}

double Cubic(double distance, double a) {
  const double x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

// The weight of the element just before the position (ratio in (0, 1] after it) or the next one.
double NearestWeight(const std::string& mode, double ratio, bool next) {
  bool takes_next = ratio == 1 || mode == "ceil";
  if (mode == "round_prefer_floor") takes_next = ratio > 0.5;
  if (mode == "round_prefer_ceil") takes_next = ratio >= 0.5;
  return takes_next == next ? 1 : 0;
}

void FillTaps(const ResizeAttrs& attrs, ResizeAxis& plan) {
  // A filter that is antialiased grows as the output shrinks.
  const double narrow = attrs.antialias ? std::min(plan.scale, 1.0) : 1.0;
  const double radius = attrs.mode == "cubic" ? 2 : 1;
  const bool nearest = attrs.mode == "nearest";
  const auto reach =
      nearest ? std::int64_t{1} : static_cast<std::int64_t>(std::ceil(radius / narrow));
  plan.taps = 2 * reach;
  for (std::int64_t o = 0; o < plan.out; ++o) {
    double position = Position(attrs, plan, o);
    const bool inside = position >= 0 && position <= static_cast<double>(plan.in - 1);
    plan.outside.push_back(attrs.coordinate_transformation_mode == "tf_crop_and_resize" && !inside);
    const auto limit = static_cast<double>(kMaxSize);
    position = position >= -limit && position <= limit ? position : 0;
    // Whole positions count as reached from the left.
    const auto before = static_cast<std::int64_t>(std::ceil(position)) - 1;
    const double ratio = position - static_cast<double>(before);
    double sum = 0;
    for (std::int64_t t = 0; t < plan.taps; ++t) {
      const std::int64_t index = before - reach + 1 + t;
      const double distance = (static_cast<double>(index) - position) * narrow;
      double weight = nearest ? NearestWeight(attrs.nearest_mode, ratio, t == 1)
                      : attrs.mode == "cubic"
                          ? Cubic(distance, static_cast<double>(attrs.cubic_coeff_a))
                          : std::max(0.0, 1 - std::abs(distance));
      if (attrs.exclude_outside && (index < 0 || index >= plan.in)) weight = 0;
      plan.index.push_back(std::clamp<std::int64_t>(index, 0, plan.in - 1));
      plan.weight.push_back(weight);
      sum += weight;
    }
    if (!attrs.antialias && !attrs.exclude_outside) continue;
    for (std::int64_t t = 0; t < plan.taps && sum != 0; ++t)
      plan.weight[static_cast<std::size_t>(o * plan.taps + t)] /= sum;
  }
}

// x with one axis resized. `Number` is what is computed in.
template <class Number>
std::vector<Number> ResizeAlong(const std::vector<Number>& x, const Dims& dims,
                                const ResizeAxis& plan, Number extrapolation) {
  const std::int64_t outer = CountOf(std::span(dims).first(plan.axis));
  const std::int64_t inner = CountOf(std::span(dims).subspan(plan.axis + 1));
  std::vector<Number> y(static_cast<std::size_t>(outer * plan.out * inner));
  Number* to = y.data();
  for (std::int64_t n = 0; n < outer; ++n) {
    const Number* from = x.data() + n * plan.in * inner;
    for (std::int64_t o = 0; o < plan.out; ++o, to += inner) {
      if (plan.outside[static_cast<std::size_t>(o)]) {
        std::fill_n(to, inner, extrapolation);
        continue;
      }
      for (std::int64_t t = 0; t < plan.taps; ++t) {
        const auto k = static_cast<std::size_t>(o * plan.taps + t);
        const auto weight = static_cast<Number>(plan.weight[k]);
        if (weight == Number(0)) continue;
        const Number* row = from + plan.index[k] * inner;
        for (std::int64_t i = 0; i < inner; ++i) to[i] += weight * row[i];
      }
    }
  }
  return y;
}

Status ResizeReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ResizeAttrs>();
  if (ctx.Out(0).count() == 0) return {};
  if (ctx.In(kX).count() == 0) return DataError("nothing can be resized");
  const auto input = [&](std::size_t i) { return ctx.Has(i) ? &ctx.In(i) : nullptr; };
  ATH_TRY(const std::vector<ResizeAxis> plans,
          PlanResize(ctx.attributes(), ctx.In(kX).dims(), ctx.Out(0).dims(),
                     {.roi = input(kRoi), .scales = input(kScales), .sizes = input(kSizes)}));
  return Dispatch(NumericTypes{}, ctx.In(kX).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    // 32-bit integers and above are exact in double only.
    using Number = std::conditional_t<sizeof(T) <= 2 || std::is_same_v<T, float>, float, double>;
    Dims dims = ctx.In(kX).dims();
    std::vector<Number> values;
    for (const T& x : ctx.Data<T>(kX)) values.push_back(static_cast<Number>(x));
    for (const ResizeAxis& plan : plans) {
      values = ResizeAlong(values, dims, plan, static_cast<Number>(attrs.extrapolation_value));
      dims[plan.axis] = plan.out;
    }
    const std::span<T> y = ctx.OutData<T>(0);
    for (std::size_t i = 0; i < y.size(); ++i) {
      Number value = values[i];
      if constexpr (std::is_integral_v<T>) {
        // Cubic filters overshoot; casting what does not fit is undefined.
        const auto low = static_cast<Number>(std::numeric_limits<T>::lowest());
        const auto high = static_cast<Number>(std::numeric_limits<T>::max());
        if (!(value > low)) {
          y[i] = std::numeric_limits<T>::lowest();
        } else {
          y[i] = value >= high ? std::numeric_limits<T>::max() : static_cast<T>(value);
        }
      } else {
        y[i] = static_cast<T>(static_cast<ComputeType<T>>(value));
      }
    }
    return {};
  });
}

Dim ResizeCost(const CostCtx& ctx) {
  if (!ctx.out[0].HasRank()) return Dim::Unknown();
  const std::string mode = ReadAttributes<ResizeAttrs>(ctx.attributes).mode;
  return ElementCount(*ctx.out[0].shape) * Dim(mode == "cubic" ? 16 : mode == "linear" ? 8 : 0);
}

}  // namespace

Result<std::vector<ResizeAxis>> PlanResize(const AttrMap& attributes, const Dims& in,
                                           const Dims& out, const ResizeSizes& given) {
  const auto attrs = ReadAttributes<ResizeAttrs>(attributes);
  ATH_TRY(const std::vector<std::size_t> axes, Axes(attrs, std::ssize(in)));
  Plan plan = {Shape(in.begin(), in.end()), std::vector<double>(in.size(), 1.0)};
  if (given.scales != nullptr && given.scales->count() > 0) {
    ATH_TRY(const std::vector<double> scales, ToDoubles(*given.scales));
    ATH_RETURN_IF_ERROR(FromScales(scales, axes, plan));
  } else {
    ATH_TRY(const std::vector<std::int64_t> sizes, ToInts(*given.sizes));
    ATH_RETURN_IF_ERROR(FromSizes(attrs, Shape(sizes.begin(), sizes.end()), axes, plan));
  }
  const bool crop = attrs.coordinate_transformation_mode == "tf_crop_and_resize";
  std::vector<double> roi;
  if (crop) {
    if (given.roi == nullptr || given.roi->count() != static_cast<std::int64_t>(2 * axes.size()))
      return InvalidModel("tf_crop_and_resize needs a roi of {} values", 2 * axes.size());
    ATH_TRY(roi, ToDoubles(*given.roi));
  }
  std::vector<ResizeAxis> plans;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ResizeAxis one = {
        .axis = axes[i], .in = in[axes[i]], .out = out[axes[i]], .scale = plan.scales[axes[i]]};
    if (crop) {
      one.roi_begin = roi[i];
      one.roi_end = roi[axes.size() + i];
    }
    if (one.in == one.out && one.scale == 1 && one.roi_begin == 0 && one.roi_end == 1) continue;
    FillTaps(attrs, one);
    plans.push_back(std::move(one));
  }
  std::stable_sort(plans.begin(), plans.end(), [](const ResizeAxis& a, const ResizeAxis& b) {
    return a.out * b.in < b.out * a.in;
  });
  return plans;
}

namespace {

// The matrix [out, in] of one axis. Weights are given as whole numbers of 2^-40, which is exact for
// those of whole factors.
ValueId TapMatrix(GradientCtx& ctx, const ResizeAxis& plan) {
  constexpr double kUnits = static_cast<double>(std::int64_t{1} << 40);
  std::vector<std::int64_t> units(static_cast<std::size_t>(plan.out * plan.in), 0);
  for (std::int64_t o = 0; o < plan.out; ++o) {
    for (std::int64_t t = 0; t < plan.taps; ++t) {
      const auto at = static_cast<std::size_t>(o * plan.taps + t);
      units[static_cast<std::size_t>(o * plan.in + plan.index[at])] +=
          static_cast<std::int64_t>(std::nearbyint(plan.weight[at] * kUnits));
    }
  }
  const ValueId real = ctx.Op("Cast", {ctx.Reshape(ctx.Integers(units), {plan.out, plan.in})},
                              {{"to", ctx.dtype()}});
  return ctx.Op("Mul", {real, ctx.Number(1 / kUnits)});
}

// Resizing is a matrix along each axis; dx is dy times them turned. Scales are taken to be the
// ratios of the sizes.
Status ResizeGradient(GradientCtx& ctx) {
  AttrMap attributes = ctx.attributes();
  if (ReadAttributes<ResizeAttrs>(attributes).coordinate_transformation_mode ==
      "tf_crop_and_resize")
    return Unsupported("cropping while resizing has no gradient");
  std::vector<std::int64_t> axes(ctx.OutDims().size());
  std::iota(axes.begin(), axes.end(), 0);
  attributes.Set("axes", axes);
  attributes.Set("keep_aspect_ratio_policy", std::string("stretch"));
  const Tensor sizes = Tensor::FromVector<std::int64_t>({std::ssize(ctx.OutDims())}, ctx.OutDims());
  ATH_TRY(const std::vector<ResizeAxis> plans,
          PlanResize(attributes, ctx.InDims(0), ctx.OutDims(), {.sizes = &sizes}));
  ValueId dx = ctx.DOut();
  for (const ResizeAxis& plan : plans) {
    std::vector<std::int64_t> last = axes;
    std::swap(last[plan.axis], last.back());  // its own inverse
    dx = ctx.Transpose(ctx.Op("MatMul", {ctx.Transpose(dx, last), TapMatrix(ctx, plan)}), last);
  }
  ctx.Set(0, dx);
  return {};
}

}  // namespace

OpDef Resize() {
  return {
      .name = "Resize",
      .summary = "Another size by interpolation, axis by axis.",
      .inputs = {{"x", "numeric, any rank"},
                 {"roi", "begins, then ends, as shares of each axis; for tf_crop_and_resize",
                  kOptionalPort},
                 {"scales", "output size / input size per axis", kOptionalPort},
                 {"sizes", "i64, output size per axis, instead of scales", kOptionalPort}},
      .outputs = {{"y", "same element type as x"}},
      .attributes = Describe<ResizeAttrs>(),
      .infer = InferResize,
      .reference = ResizeReference,
      .fixed31 = ResizeFixed31,
      .gradient = ResizeGradient,
      .flops = ResizeCost,
  };
}

}  // namespace athanor::ops
