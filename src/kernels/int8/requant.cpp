#include "kernels/int8/requant.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "ops/quant/fixed31_scales.h"

namespace athanor::kernels::int8 {
namespace {

bool IsByte(DType dtype) { return dtype == DType::kI8 || dtype == DType::kU8; }

std::int32_t Saturated(double value) {
  using Limits = std::numeric_limits<std::int32_t>;
  return static_cast<std::int32_t>(
      std::clamp(value, static_cast<double>(Limits::min()), static_cast<double>(Limits::max())));
}

// The bias in units of the products' scale, whatever it is stored in.
std::vector<double> BiasUnits(const KernelQuery& q, std::size_t channels) {
  std::vector<double> units(channels, 0.0);
  if (!q.Has(2)) return units;
  const QuantPort &x = q.quant->inputs[0], &w = q.quant->inputs[1], &b = q.quant->inputs[2];
  const Result<std::vector<double>> values = ToDoubles(*q.in[2].constant);
  ATH_CHECK(values.ok() && values->size() == channels, "FitsWeights has looked at the bias");
  for (std::size_t c = 0; c < channels; ++c) {
    // The integers themselves: files write their scale rounded.
    units[c] = (*values)[c];
    if (b.quantized()) continue;
    units[c] /= static_cast<double>(x.scales[0]) * w.scales[w.per_tensor() ? 0 : c];
  }
  return units;
}

// A bias whose integers are sums of products: its scale is the product of the others.
bool HasScaleOfProducts(const KernelQuery& q, std::size_t channels) {
  const QuantPort &x = q.quant->inputs[0], &w = q.quant->inputs[1], &b = q.quant->inputs[2];
  for (std::size_t c = 0; c < channels; ++c) {
    const double expected = static_cast<double>(x.scales[0]) * w.scales[w.per_tensor() ? 0 : c];
    const double given = b.scales[b.per_tensor() ? 0 : c];
    if (b.zeros[b.per_tensor() ? 0 : c] != 0 || std::abs(given - expected) > 1e-4 * expected)
      return false;
  }
  return true;
}

}  // namespace

std::string_view Name(Variant variant) {
  return variant == Variant::kVnni ? "vnni" : athanor::Name(IsaOf(variant));
}

Isa IsaOf(Variant variant) {
  return variant == Variant::kVnni ? Isa::kAvx512
                                   : static_cast<Isa>(static_cast<std::uint8_t>(variant));
}

Fit OnThisMachine(Variant variant) {
  return variant != Variant::kVnni || Cpu().avx512_vnni ? Fit::Yes()
                                                        : Fit::No("needs AVX-512 VNNI");
}

const MatrixTable& Matrices(Variant variant) {
  const MatrixTable* const tables[] = {&base::kMatrices, &avx2::kMatrices, &avx512::kMatrices,
                                       &vnni::kMatrices};
  return *tables[static_cast<std::size_t>(variant)];
}

const PlaneTable& Planes(Variant variant) {
  const PlaneTable* const tables[] = {&base::kPlanes, &avx2::kPlanes, &avx512::kPlanes,
                                      &vnni::kPlanes};
  return *tables[static_cast<std::size_t>(variant)];
}

const LaneTable& Lanes(Variant variant) {
  const LaneTable* const tables[] = {&base::kLaneTable, &avx2::kLaneTable, &avx512::kLaneTable,
                                     &vnni::kLaneTable};
  return *tables[static_cast<std::size_t>(variant)];
}

const MaxTable& Maxima(Variant variant) {
  const MaxTable* const tables[] = {&base::kMaxima, &avx2::kMaxima, &avx512::kMaxima,
                                    &vnni::kMaxima};
  return *tables[static_cast<std::size_t>(variant)];
}

const BlendTable& Blends(Variant variant) {
  const BlendTable* const tables[] = {&base::kBlends, &avx2::kBlends, &avx512::kBlends,
                                      &vnni::kBlends};
  return *tables[static_cast<std::size_t>(variant)];
}

double ProductsNs(Variant variant, double products) {
  constexpr double kPerNs[] = {14, 44, 80, 150};
  return 200 + products / kPerNs[static_cast<std::size_t>(variant)];
}

double StepsNs(Variant variant, double steps) {
  constexpr double kPerNs[] = {36, 73, 110, 150};
  return 200 + steps / kPerNs[static_cast<std::size_t>(variant)];
}

bool IsByteTensor(const PortInfo& port, const QuantPort& quant) {
  return port.given() && IsByte(port.dtype) && quant.quantized() && quant.per_tensor();
}

bool GivesBytes(const KernelQuery& q) {
  return HasCurve(q) ? !q.quant->outputs[0].quantized() && IsByte(q.out[0].dtype)
                     : IsByteTensor(q.out[0], q.quant->outputs[0]);
}

Fit FitsWeights(const KernelQuery& q, std::int64_t axis) {
  const QuantSpec& spec = *q.quant;
  if (!IsByteTensor(q.in[0], spec.inputs[0]) || !GivesBytes(q))
    return Fit::No("8-bit tensors with one scale only");
  const QuantPort& w = spec.inputs[1];
  if (!w.quantized() || !IsByte(q.in[1].dtype)) return Fit::No("8-bit weights only");
  if (q.in[1].constant == nullptr) return Fit::No("the weights are computed by the model");
  if (!w.per_tensor() && w.axis != axis)
    return Fit::No("the weights have no scale per output channel");
  if (!q.Has(2)) return Fit::Yes();
  const std::int64_t channels = q.in[1].dims[static_cast<std::size_t>(axis)];
  if (q.in[2].constant == nullptr) return Fit::No("the bias is computed by the model");
  if (q.in[2].count() != channels || q.in[2].dims.empty() || q.in[2].dims.back() != channels)
    return Fit::No("the bias is not one value per channel");
  const QuantPort& b = spec.inputs[2];
  if (b.quantized() ? q.in[2].dtype != DType::kI32 ||
                          !HasScaleOfProducts(q, static_cast<std::size_t>(channels))
                    : q.in[2].dtype != DType::kF32)
    return Fit::No("the scale of the bias is not that of the products");
  return Fit::Yes();
}

Fit FitsSignedWeights(const KernelQuery& q, std::int64_t axis) {
  Fit fit = FitsWeights(q, axis);
  const QuantPort& w = q.quant->inputs[1];
  const std::int64_t zero = w.dtype == DType::kU8 ? 128 : 0;
  const bool centred =
      std::all_of(w.zeros.begin(), w.zeros.end(), [zero](std::int64_t z) { return z == zero; });
  return fit.yes() && !centred ? Fit::No("the weights have a zero point") : fit;
}

std::vector<std::int16_t> CentredWeights(const KernelQuery& q, std::int64_t axis) {
  const QuantPort& w = q.quant->inputs[1];
  const auto* bytes = static_cast<const std::uint8_t*>(q.in[1].constant->raw());
  const bool is_signed = q.in[1].dtype == DType::kI8;
  std::int64_t inner = 1;
  for (std::int64_t i = axis + 1; i < q.in[1].rank(); ++i)
    inner *= q.in[1].dims[static_cast<std::size_t>(i)];
  const std::int64_t length = q.in[1].dims[static_cast<std::size_t>(axis)];
  std::vector<std::int16_t> weights(static_cast<std::size_t>(q.in[1].count()));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::int64_t index = static_cast<std::int64_t>(i) / inner % length;
    const std::int64_t zero = w.zeros[w.per_tensor() ? 0 : static_cast<std::size_t>(index)];
    const int value = is_signed ? static_cast<std::int8_t>(bytes[i]) : bytes[i];
    weights[i] = static_cast<std::int16_t>(value - zero);
  }
  return weights;
}

std::int64_t MostProducts(const KernelQuery& q) {
  const QuantPort& w = q.quant->inputs[1];
  const std::int64_t middle = w.dtype == DType::kU8 ? 128 : 0;
  const bool centred =
      std::all_of(w.zeros.begin(), w.zeros.end(), [middle](std::int64_t z) { return z == middle; });
  return centred ? 65'000 : 32'000;
}

std::int64_t PassesFor(const std::vector<std::int16_t>& weights, std::size_t element_bytes) {
  std::int64_t passes = 1;
  for (const std::int16_t weight : weights) {
    while (PartOf(weight, passes, element_bytes) != 0) ++passes;
  }
  return passes;
}

std::int16_t PartOf(std::int16_t weight, std::int64_t pass, std::size_t element_bytes) {
  const auto most = static_cast<std::int16_t>(element_bytes == 1 ? 127 : 32767);
  for (;; --pass) {
    const std::int16_t part =
        std::clamp<std::int16_t>(weight, static_cast<std::int16_t>(-most - 1), most);
    if (pass == 0) return part;
    weight = static_cast<std::int16_t>(weight - part);
  }
}

std::vector<std::int64_t> SumsOfRows(const std::vector<std::int16_t>& weights,
                                     std::int64_t channels) {
  std::vector<std::int64_t> sums;
  const std::ptrdiff_t length = std::ssize(weights) / channels;
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto begin = weights.begin() + c * length;
    sums.push_back(std::accumulate(begin, begin + length, std::int64_t{0}));
  }
  return sums;
}

void WriteGroup(const std::int16_t* weights, std::size_t element_bytes, std::uint8_t* to) {
  // The low bytes come first on every processor these kernels run on.
  for (std::size_t i = 0; i < 4 / element_bytes; ++i)
    std::memcpy(to + i * element_bytes, weights + i, element_bytes);
}

std::uint32_t GroupOf(std::uint8_t zero, std::size_t element_bytes) {
  return zero * (element_bytes == 1 ? 0x01010101U : 0x00010001U);
}

void RequantPlan::SetOutput(const QuantSpec& spec) {
  const QuantPort& y = spec.outputs[0];
  const IntRange range = *QuantRange(y.dtype);
  zero_ = static_cast<std::int32_t>(y.zeros[0]);
  low_ = static_cast<std::int32_t>(spec.clamp ? spec.clamp->low : range.low);
  high_ = static_cast<std::int32_t>(spec.clamp ? spec.clamp->high : range.high);
}

void RequantPlan::AddChannel(double multiplier, std::int32_t offset, bool fixed31) {
  offsets_.push_back(offset);
  factors_.push_back(static_cast<float>(multiplier));
  if (!fixed31) return;
  const ops::fixed::Multiplier fixed = ops::fixed::MakeMultiplier(multiplier);
  mantissas_.push_back(fixed.value);
  shifts_.push_back(fixed.shift);
}

void RequantPlan::AddChannel(ops::fixed::Multiplier multiplier, std::int32_t offset) {
  offsets_.push_back(offset);
  mantissas_.push_back(multiplier.value);
  shifts_.push_back(multiplier.shift);
}

void RequantPlan::Pad() {
  constexpr std::size_t kMostColumns = 32;
  offsets_.resize(offsets_.size() + kMostColumns);
  for (std::vector<std::int32_t>* values : {&mantissas_, &shifts_}) {
    if (!values->empty()) values->resize(values->size() + kMostColumns);
  }
  if (!factors_.empty()) factors_.resize(factors_.size() + kMostColumns);
}

Result<RequantPlan> RequantPlan::ForWeights(const KernelQuery& q,
                                            const std::vector<std::int64_t>& weight_sums,
                                            bool matrix) {
  const QuantSpec& spec = *q.quant;
  const QuantPort &x = spec.inputs[0], &w = spec.inputs[1], &y = spec.outputs[0];
  const std::vector<double> bias = BiasUnits(q, weight_sums.size());
  RequantPlan plan;
  if (HasCurve(q)) {
    plan.curve_ = std::make_shared<const Curve>(CurveOf(q));
  } else {
    plan.SetOutput(spec);
  }
  const double unit = HasCurve(q) ? q.epilogue[0].params[0] : y.scales[0];
  plan.once_ = matrix;
  // TFLite multiplies these scales as floats.
  const bool as_floats = spec.fixed31() && w.per_tensor() && (matrix || y.dtype == DType::kU8);
  for (std::size_t c = 0; c < weight_sums.size(); ++c) {
    const float w_scale = w.scales[w.per_tensor() ? 0 : c];
    const double product = as_floats ? static_cast<double>(x.scales[0] * w_scale)
                                     : static_cast<double>(x.scales[0]) * w_scale;
    const double correction = static_cast<double>(weight_sums[c]) * FlippedZero(x);
    plan.AddChannel(product / unit, Saturated(std::nearbyint(bias[c] - correction)),
                    spec.fixed31());
  }
  plan.Pad();
  return plan;
}

RequantPlan RequantPlan::ForSums(const QuantSpec& spec, double ratio, std::int32_t offset) {
  RequantPlan plan;
  plan.SetOutput(spec);
  plan.AddChannel(ratio * spec.inputs[0].scales[0] / static_cast<double>(spec.outputs[0].scales[0]),
                  offset, false);
  plan.Pad();
  return plan;
}

RequantPlan RequantPlan::ForMeans(const QuantSpec& spec, std::int64_t count) {
  constexpr int kMostLanes = 16;
  const QuantPort &x = spec.inputs[0], &y = spec.outputs[0];
  const auto offset = static_cast<std::int32_t>(-count * FlippedZero(x));
  RequantPlan plan;
  plan.SetOutput(spec);
  for (int lane = 0; lane < kMostLanes; ++lane) {
    if (spec.fixed31()) {
      plan.AddChannel(ops::MeanMultiplier(x.scales[0], y.scales[0], count), offset);
    } else {
      plan.AddChannel(
          1.0 / static_cast<double>(count) * x.scales[0] / static_cast<double>(y.scales[0]), offset,
          false);
    }
  }
  plan.Pad();
  return plan;
}

Requant RequantPlan::how() const {
  return {.offset = offsets_.data(),
          .factor = factors_.data(),
          .mantissa = mantissas_.empty() ? nullptr : mantissas_.data(),
          .shift = shifts_.empty() ? nullptr : shifts_.data(),
          .once = once_,
          .zero = zero_,
          .low = low_,
          .high = high_,
          .curve = curve_.get()};
}

}  // namespace athanor::kernels::int8
