// IntegerLSTM and IntegerSVDF: recurrent layers on integers, as TensorFlow Lite's reference kernels
// compute them, bit by bit (ADR 0054 says why they are no operators between Q/DQ pairs).
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/nn/nn.h"
#include "ops/quant/fixed_functions.h"

namespace athanor::ops {
namespace {

using Bytes = std::span<const std::int8_t>;

// One of the element types, and this many axes.
Status ExpectTensor(const InferCtx& ctx, std::size_t i, std::int64_t rank,
                    std::initializer_list<DType> types) {
  ATH_RETURN_IF_ERROR(ExpectDType(ctx, i, std::vector<DType>(types)));
  return ctx.ExpectRank(i, rank);
}

Status ExpectScales(std::span<const float> scales, std::size_t count, const char* what) {
  if (scales.size() != count)
    return InvalidModel("{} has {} numbers; {} are expected", what, scales.size(), count);
  for (const float scale : scales) {
    if (!(scale > 0) || !std::isfinite(scale))
      return InvalidModel("{} is {}; a positive number is expected", what, scale);
  }
  return {};
}

Status ExpectByte(std::int64_t zero, const char* what) {
  if (zero >= -128 && zero <= 127) return {};
  return InvalidModel("{} is {}, which is no i8", what, zero);
}

// Sums wrap around where the original has undefined overflow.
std::int32_t Dot(const std::int8_t* w, const std::int8_t* x, std::size_t count, std::int64_t zero) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i)
    sum += static_cast<std::uint32_t>(std::int32_t{w[i]} *
                                      (std::int32_t{x[i]} - static_cast<std::int32_t>(zero)));
  return static_cast<std::int32_t>(sum);
}

template <class T>
T Saturated(std::int64_t value) {
  return static_cast<T>(std::clamp<std::int64_t>(value, std::numeric_limits<T>::min(),
                                                 std::numeric_limits<T>::max()));
}

// --- IntegerLSTM

constexpr std::size_t kGates = 4;  // input, output, forget, cell
enum LstmPort : std::size_t { kLstmX, kLstmW, kLstmR, kLstmB, kLstmH, kLstmC };

struct IntegerLstmAttrs {
  float x_scale = 0, h_scale = 0, hidden_scale = 0;
  std::int64_t x_zero = 0, h_zero = 0, hidden_zero = 0, cell_power = 0;
  std::vector<float> w_scales = {}, r_scales = {};
  float cell_clip = 0;
  template <class V>
  void Visit(V& v) {
    v("x_scale", x_scale, "scale of x", kRequired);
    v("x_zero", x_zero, "zero point of x");
    v("h_scale", h_scale, "scale of h, y and next_h", kRequired);
    v("h_zero", h_zero, "zero point of these");
    v("hidden_scale", hidden_scale, "scale of the product of gate and cell, as it is rounded",
      kRequired);
    v("hidden_zero", hidden_zero, "zero point of it");
    v("cell_power", cell_power, "the scale of c is 2^cell_power; -15 to -11", kRequired);
    v("w_scales", w_scales, "scale of w, one per gate", kRequired);
    v("r_scales", r_scales, "scale of r, one per gate", kRequired);
    v("cell_clip", cell_clip, "limit of the cell as a real number; 0: none");
  }
};

constexpr float kGateScale = 1.0F / 4096;  // gates have 3 integer bits

// Products of finite scales may be beyond all floats.
Status ExpectProducts(std::span<const float> weights, float scale, const char* name,
                      const char* scale_name) {
  for (std::size_t gate = 0; gate < weights.size(); ++gate) {
    if (!std::isfinite(weights[gate] * scale / kGateScale))
      return InvalidModel("{}[{}] is {} and {} {}, whose product is too large", name, gate,
                          weights[gate], scale_name, scale);
  }
  return {};
}

Status CheckLstmAttrs(const IntegerLstmAttrs& attrs) {
  ATH_RETURN_IF_ERROR(ExpectScales(attrs.w_scales, kGates, "w_scales"));
  ATH_RETURN_IF_ERROR(ExpectScales(attrs.r_scales, kGates, "r_scales"));
  const float scales[] = {attrs.x_scale, attrs.h_scale, attrs.hidden_scale};
  ATH_RETURN_IF_ERROR(ExpectScales(scales, 3, "a scale"));
  ATH_RETURN_IF_ERROR(ExpectProducts(attrs.w_scales, attrs.x_scale, "w_scales", "x_scale"));
  ATH_RETURN_IF_ERROR(ExpectProducts(attrs.r_scales, attrs.h_scale, "r_scales", "h_scale"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.x_zero, "x_zero"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.h_zero, "h_zero"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.hidden_zero, "hidden_zero"));
  if (attrs.cell_power < -15 || attrs.cell_power > -11)
    return InvalidModel("cell_power is {}; -15 to -11 is accepted", attrs.cell_power);
  if (!(attrs.cell_clip >= 0)) return InvalidModel("cell_clip is {}", attrs.cell_clip);
  return {};
}

Status InferIntegerLstm(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(CheckLstmAttrs(ctx.Attrs<IntegerLstmAttrs>()));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmX, 3, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmW, 2, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmR, 2, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmB, 1, {DType::kI32}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmH, 2, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kLstmC, 2, {DType::kI16}));
  Dim steps, batch, hidden;
  if (ctx.In(kLstmX).HasRank()) {
    steps = ctx.In(kLstmX).dim(0);
    batch = ctx.In(kLstmX).dim(1);
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kLstmW, 1, ctx.In(kLstmX).dim(2)));
  }
  if (ctx.In(kLstmR).HasRank()) {
    hidden = ctx.In(kLstmR).dim(1);
    for (const std::size_t i : {kLstmW, kLstmR, kLstmB})
      ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, hidden * Dim(static_cast<std::int64_t>(kGates))));
  }
  for (const std::size_t i : {kLstmH, kLstmC}) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 0, batch));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, i, 1, hidden));
  }
  ctx.out[0] = Type::Tensor(DType::kI8, {steps, batch, hidden});
  if (ctx.num_outputs() > 1) ctx.out[1] = Type::Tensor(DType::kI8, {batch, hidden});
  if (ctx.num_outputs() > 2) ctx.out[2] = Type::Tensor(DType::kI16, {batch, hidden});
  return {};
}

// The layer with its multipliers. The original multiplies scales as floats.
struct IntegerLstm {
  explicit IntegerLstm(const IntegerLstmAttrs& attrs) : attrs(attrs) {
    for (std::size_t gate = 0; gate < kGates; ++gate) {
      from_x[gate] = fixed::MakeMultiplier(attrs.w_scales[gate] * attrs.x_scale / kGateScale);
      from_h[gate] = fixed::MakeMultiplier(attrs.r_scales[gate] * attrs.h_scale / kGateScale);
    }
    const double unit = std::ldexp(1.0, -15);
    out = fixed::MakeMultiplier(static_cast<float>(unit / attrs.hidden_scale * unit));
    const auto cell_scale = std::ldexp(1.0F, static_cast<int>(attrs.cell_power));
    if (attrs.cell_clip > 0)
      limit = static_cast<std::int32_t>(std::min(attrs.cell_clip / cell_scale, 32767.0F));
  }

  // Four numbers of one cell, before their activations.
  void Sum(Bytes w, Bytes r, std::span<const std::int32_t> bias, const std::int8_t* x,
           const std::int8_t* h, std::size_t cell, std::int16_t* sums) const {
    const std::size_t hidden = bias.size() / kGates, depth = w.size() / bias.size();
    for (std::size_t gate = 0; gate < kGates; ++gate) {
      const std::size_t row = gate * hidden + cell;
      const auto of_x =
          static_cast<std::uint32_t>(Dot(w.data() + row * depth, x, depth, attrs.x_zero));
      const auto first = Saturated<std::int16_t>(fixed::Multiply(
          static_cast<std::int32_t>(of_x + static_cast<std::uint32_t>(bias[row])), from_x[gate]));
      const std::int32_t of_h = Dot(r.data() + row * hidden, h, hidden, attrs.h_zero);
      sums[gate] =
          Saturated<std::int16_t>(std::int64_t{fixed::Multiply(of_h, from_h[gate])} + first);
    }
  }

  // The next number of the cell, and what it shows.
  std::int16_t Cell(const std::int16_t* sums, std::int16_t before) const {
    const std::int32_t in = fixed::Logistic<std::int16_t, 3>(sums[0]);
    const std::int32_t forget = fixed::Logistic<std::int16_t, 3>(sums[2]);
    const std::int32_t candidate = fixed::HyperbolicTangent<std::int16_t, 3>(sums[3]);
    const std::int32_t kept = fixed::RoundingShiftRight(forget * before, 15);
    const std::int32_t added =
        fixed::RoundingShiftRight(in * candidate, 30 + static_cast<int>(attrs.cell_power));
    const std::int32_t sum =
        Saturated<std::int16_t>(static_cast<std::int16_t>(kept) + static_cast<std::int16_t>(added));
    return static_cast<std::int16_t>(std::clamp(sum, -limit, limit));
  }
  std::int8_t Shown(std::int16_t gate, std::int16_t cell) const {
    const std::int32_t product =
        std::int32_t{fixed::Logistic<std::int16_t, 3>(gate)} * TanhOf(cell);
    return Saturated<std::int8_t>(std::int64_t{fixed::Multiply(product, out)} + attrs.hidden_zero);
  }

  // The cell has 15 + cell_power integer bits.
  std::int16_t TanhOf(std::int16_t x) const {
    using fixed::HyperbolicTangent;
    constexpr std::int16_t (*kTanh[])(std::int16_t) = {
        HyperbolicTangent<std::int16_t, 0>, HyperbolicTangent<std::int16_t, 1>,
        HyperbolicTangent<std::int16_t, 2>, HyperbolicTangent<std::int16_t, 3>,
        HyperbolicTangent<std::int16_t, 4>};
    return kTanh[attrs.cell_power + 15](x);
  }

  IntegerLstmAttrs attrs;
  fixed::Multiplier from_x[kGates], from_h[kGates], out;
  std::int32_t limit = 32768;
};

Status IntegerLstmReference(RefCtx& ctx) {
  const IntegerLstm lstm(ctx.Attrs<IntegerLstmAttrs>());
  const Bytes x = ctx.Data<std::int8_t>(kLstmX), w = ctx.Data<std::int8_t>(kLstmW);
  const Bytes r = ctx.Data<std::int8_t>(kLstmR);
  const auto bias = ctx.Data<std::int32_t>(kLstmB);
  const auto steps = static_cast<std::size_t>(ctx.In(kLstmX).dim(0));
  const auto batch = static_cast<std::size_t>(ctx.In(kLstmX).dim(1));
  const auto depth = static_cast<std::size_t>(ctx.In(kLstmX).dim(2));
  const auto hidden = static_cast<std::size_t>(ctx.In(kLstmR).dim(1));
  const auto count = [&ctx](LstmPort port) {
    return static_cast<std::size_t>(ctx.In(port).count());
  };
  if (bias.size() != kGates * hidden || w.size() != bias.size() * depth ||
      r.size() != bias.size() * hidden || count(kLstmH) != batch * hidden ||
      count(kLstmC) != batch * hidden)
    return DataError("weights, bias and states of an LSTM do not fit each other");
  const auto h0 = ctx.Data<std::int8_t>(kLstmH);
  const auto c0 = ctx.Data<std::int16_t>(kLstmC);
  std::vector<std::int8_t> h(h0.begin(), h0.end()), next(h.size());
  std::vector<std::int16_t> c(c0.begin(), c0.end());
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t n = 0; n < batch * hidden; ++n) {
      std::int16_t sums[kGates];
      lstm.Sum(w, r, bias, x.data() + (t * batch + n / hidden) * depth,
               h.data() + n / hidden * hidden, n % hidden, sums);
      c[n] = lstm.Cell(sums, c[n]);
      next[n] = lstm.Shown(sums[1], c[n]);
    }
    h = next;
    std::copy(h.begin(), h.end(),
              ctx.OutData<std::int8_t>(0).begin() + std::ssize(h) * static_cast<std::ptrdiff_t>(t));
  }
  if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor())
    std::copy(h.begin(), h.end(), ctx.OutData<std::int8_t>(1).begin());
  if (ctx.num_outputs() > 2 && ctx.out[2].IsTensor())
    std::copy(c.begin(), c.end(), ctx.OutData<std::int16_t>(2).begin());
  return {};
}

// --- IntegerSVDF

enum SvdfPort : std::size_t { kSvdfX, kSvdfFeature, kSvdfTime, kSvdfState, kSvdfBias };

struct IntegerSvdfAttrs {
  std::int64_t rank = 1;
  float feature_scale = 0, time_scale = 0;
  std::int64_t x_zero = 0, state_zero = 0, y_zero = 0;
  template <class V>
  void Visit(V& v) {
    v("rank", rank, "how many filters add up to one unit");
    v("feature_scale", feature_scale, "scale(x) * scale(w_feature) / scale(state)", kRequired);
    v("time_scale", time_scale, "scale(state) * scale(w_time) / scale(y)", kRequired);
    v("x_zero", x_zero, "zero point of x");
    v("state_zero", state_zero, "zero point of the state");
    v("y_zero", y_zero, "zero point of y");
  }
};

Status InferIntegerSvdf(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<IntegerSvdfAttrs>();
  const float scales[] = {attrs.feature_scale, attrs.time_scale};
  ATH_RETURN_IF_ERROR(ExpectScales(scales, 2, "a scale"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.x_zero, "x_zero"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.state_zero, "state_zero"));
  ATH_RETURN_IF_ERROR(ExpectByte(attrs.y_zero, "y_zero"));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kSvdfX, 2, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kSvdfFeature, 2, {DType::kI8}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kSvdfTime, 2, {DType::kI8, DType::kI16}));
  ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kSvdfState, 2, {DType::kI8, DType::kI16}));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(kSvdfTime, kSvdfState));
  Dim batch, units;
  if (ctx.In(kSvdfX).HasRank()) {
    batch = ctx.In(kSvdfX).dim(0);
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kSvdfFeature, 1, ctx.In(kSvdfX).dim(1)));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kSvdfState, 0, batch));
  }
  const Type& time = ctx.In(kSvdfTime);
  if (time.HasRank()) {
    const Dim& filters = time.dim(0);
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kSvdfFeature, 0, filters));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kSvdfState, 1, filters * time.dim(1)));
    if (time.dim(1).Is(0)) return InvalidModel("a memory of 0 steps");
    if (attrs.rank < 1 || (filters.IsConst() && filters.value() % attrs.rank != 0))
      return InvalidModel("rank {} of {} filters", attrs.rank, filters.ToString());
    if (filters.IsConst()) units = Dim(filters.value() / attrs.rank);
  }
  if (ctx.Has(kSvdfBias)) {
    ATH_RETURN_IF_ERROR(ExpectTensor(ctx, kSvdfBias, 1, {DType::kI32}));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kSvdfBias, 0, units));
  }
  ctx.out[0] = Type::Tensor(DType::kI8, {batch, units});
  if (ctx.num_outputs() > 1) ctx.out[1] = ctx.In(kSvdfState);
  return {};
}

// The memory of each filter drops its oldest number and takes the newest; a sum over time,
// weighted, of the filters of a unit is its answer.
template <class State>
void RunSvdf(RefCtx& ctx, const IntegerSvdfAttrs& attrs) {
  const Bytes x = ctx.Data<std::int8_t>(kSvdfX), w = ctx.Data<std::int8_t>(kSvdfFeature);
  const auto time = ctx.Data<State>(kSvdfTime), before = ctx.Data<State>(kSvdfState);
  const auto y = ctx.OutData<std::int8_t>(0);
  const auto filters = static_cast<std::size_t>(ctx.In(kSvdfTime).dim(0));
  const auto memory = static_cast<std::size_t>(ctx.In(kSvdfTime).dim(1));
  const auto depth = static_cast<std::size_t>(ctx.In(kSvdfX).dim(1));
  const auto rank = static_cast<std::size_t>(attrs.rank);
  const fixed::Multiplier feature = fixed::MakeMultiplier(attrs.feature_scale);
  const fixed::Multiplier weighted = fixed::MakeMultiplier(attrs.time_scale);
  const bool wants_state = ctx.num_outputs() > 1 && ctx.out[1].IsTensor();
  std::vector<std::uint32_t> sums(y.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    sums[i] =
        ctx.Has(kSvdfBias)
            ? static_cast<std::uint32_t>(ctx.Data<std::int32_t>(kSvdfBias)[i % (filters / rank)])
            : 0;
  std::vector<State> line(memory);
  for (std::size_t n = 0; n < before.size() / memory; ++n) {
    const std::size_t filter = n % filters;
    const std::int32_t dot =
        Dot(w.data() + filter * depth, x.data() + n / filters * depth, depth, attrs.x_zero);
    std::copy_n(before.data() + n * memory + 1, memory - 1, line.begin());
    // The zero point is added behind the limits, and may wrap around, in the original too.
    line.back() =
        static_cast<State>(Saturated<State>(fixed::Multiply(dot, feature)) + attrs.state_zero);
    for (std::size_t k = 0; k < memory; ++k)
      sums[n / rank] += static_cast<std::uint32_t>(
          std::int32_t{time[filter * memory + k]} *
          (std::int32_t{line[k]} - static_cast<std::int32_t>(attrs.state_zero)));
    if (wants_state) std::copy(line.begin(), line.end(), ctx.OutData<State>(1).data() + n * memory);
  }
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = Saturated<std::int8_t>(
        std::int64_t{fixed::Multiply(static_cast<std::int32_t>(sums[i]), weighted)} + attrs.y_zero);
}

Status IntegerSvdfReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<IntegerSvdfAttrs>();
  const Tensor &x = ctx.In(kSvdfX), &w = ctx.In(kSvdfFeature), &time = ctx.In(kSvdfTime);
  if (w.dim(0) != time.dim(0) || w.dim(1) != x.dim(1) || time.dim(1) < 1 ||
      time.dim(0) % attrs.rank != 0 || ctx.In(kSvdfState).count() != x.dim(0) * time.count() ||
      (ctx.Has(kSvdfBias) && ctx.In(kSvdfBias).count() != time.dim(0) / attrs.rank))
    return DataError("weights, bias and state of an SVDF layer do not fit each other");
  if (time.dtype() == DType::kI8) {
    RunSvdf<std::int8_t>(ctx, attrs);
  } else {
    RunSvdf<std::int16_t>(ctx, attrs);
  }
  return {};
}

}  // namespace

OpDef IntegerLSTM() {
  return {
      .name = "IntegerLSTM",
      .summary =
          "LSTM of one direction on integers: gates have 16 bits with 3 before the point, their "
          "activations are polynomials, every sum saturates.",
      .inputs = {{"x", "[steps, batch, depth], i8"},
                 {"w", "[4 * hidden, depth], i8: gates input, output, forget, cell"},
                 {"r", "[4 * hidden, hidden], i8"},
                 {"b", "[4 * hidden], i32, in units of w_scales * x_scale"},
                 {"h", "[batch, hidden], i8: the last output"},
                 {"c", "[batch, hidden], i16: the cell"}},
      .outputs = {{"y", "[steps, batch, hidden], i8"},
                  {"next_h", "[batch, hidden], i8", kOptionalPort},
                  {"next_c", "[batch, hidden], i16", kOptionalPort}},
      .attributes = Describe<IntegerLstmAttrs>(),
      .infer = InferIntegerLstm,
      .reference = IntegerLstmReference,
  };
}

OpDef IntegerSVDF() {
  return {
      .name = "IntegerSVDF",
      .summary =
          "A layer of rank-limited filters over features and time on integers: each filter "
          "remembers its last products.",
      .inputs = {{"x", "[batch, depth], i8"},
                 {"w_feature", "[filters, depth], i8"},
                 {"w_time", "[filters, memory], i8 or i16: the oldest first"},
                 {"state", "[batch, filters * memory], type of w_time"},
                 {"bias", "[filters / rank], i32, in units of scale(state) * scale(w_time)",
                  kOptionalPort}},
      .outputs = {{"y", "[batch, filters / rank], i8"},
                  {"next_state", "same shape and type as state", kOptionalPort}},
      .attributes = Describe<IntegerSvdfAttrs>(),
      .infer = InferIntegerSvdf,
      .reference = IntegerSvdfReference,
  };
}

}  // namespace athanor::ops
