// Fits curves (curve.h) to operators whose results become bytes.
#include "kernels/int8/curve.h"

#include <algorithm>
#include <cmath>

#include "ir/graph.h"
#include "kernels/int8/lookup.h"

namespace athanor::kernels::int8 {
namespace {

constexpr std::string_view kProducts[] = {"Conv", "Gemm", "MatMul"};
constexpr std::string_view kCurves[] = {"Elu",       "Erf",   "Gelu",  "HardSigmoid", "HardSwish",
                                        "LeakyRelu", "Mish",  "PRelu", "Sigmoid",     "Softplus",
                                        "Softsign",  "Swish", "Tanh"};
constexpr std::int64_t kOperandSize = kPieces + 4;  // pieces, zero, low, high, flip
constexpr int kSamples = 8;                         // of a piece, one of its ends among them
constexpr double kWorst = 0.5;                      // steps of the result that a curve may be off

template <std::size_t kSize>
bool Has(const std::string_view (&names)[kSize], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Results in steps of the bytes' scale, not rounded, as if bytes were unsigned.
class Steps {
 public:
  Steps(const KernelQuery& q, std::size_t through)
      : q_(q), through_(through), attributes_(WithoutQuantSpec(*q.attributes)) {
    const QuantPort& port = q.quant->outputs[0];
    const IntRange range = *QuantRange(port.dtype);
    lift_ = port.dtype == DType::kI8 ? 128 : 0;
    zero_ = static_cast<double>(port.zeros[0]) + lift_;
    low_ = static_cast<double>(q.quant->clamp ? q.quant->clamp->low : range.low) + lift_;
    high_ = static_cast<double>(q.quant->clamp ? q.quant->clamp->high : range.high) + lift_;
  }

  // Empty where the operator gives something that is no number.
  std::vector<double> At(std::vector<float> x) const {
    const auto count = static_cast<std::int64_t>(x.size());
    const Tensor data = Tensor::FromVector<float>({count}, std::move(x));
    Node node = {.op = q_.op,
                 .name = {},
                 .inputs = {},
                 .outputs = {ValueId{0}},
                 .attributes = attributes_,
                 .bodies = {}};
    std::vector<Datum> inputs;
    for (std::size_t i = 0; i < q_.own_inputs; ++i) {
      node.inputs.push_back(q_.in[i].given() ? ValueId{0} : kNoValue);
      inputs.push_back(i == through_      ? Datum(data)
                       : q_.in[i].given() ? Datum(*q_.in[i].constant)
                                          : Datum());
    }
    const Result<std::vector<Datum>> outputs = EvaluateNode(node, inputs);
    if (!outputs.ok() || (*outputs)[0].tensor().count() != count) return {};
    std::vector<double> steps;
    for (const float y : (*outputs)[0].tensor().Data<float>()) {
      if (std::isnan(y)) return {};
      steps.push_back(y / static_cast<double>(q_.quant->outputs[0].scales[0]) + zero_);
    }
    return steps;
  }
  double Rounded(double step) const { return std::clamp(std::nearbyint(step), low_, high_); }
  double low() const { return low_; }
  double high() const { return high_; }
  std::uint8_t flip() const { return static_cast<std::uint8_t>(lift_); }

 private:
  const KernelQuery& q_;
  std::size_t through_;
  AttrMap attributes_;
  double zero_ = 0, low_ = 0, high_ = 255;
  int lift_ = 0;
};

struct Range {
  double begin = -1, end = 1;
};

// Outside of it all results are the same: looked for at numbers that are 2^(1/16) apart.
std::optional<Range> WhereResultsDiffer(const Steps& function) {
  constexpr int kPerOctave = 16, kSmallest = -16 * kPerOctave, kLargest = 40 * kPerOctave;
  std::vector<float> x = {0};
  for (int i = kSmallest; i <= kLargest; ++i) {
    x.push_back(std::exp2(static_cast<float>(i) / kPerOctave));
    x.push_back(-x.back());
  }
  std::sort(x.begin(), x.end());
  std::vector<double> results = function.At(x);
  if (results.empty()) return std::nullopt;
  for (double& result : results) result = function.Rounded(result);
  std::size_t first = 0, last = x.size() - 1;
  while (first < last && results[first + 1] == results[0]) ++first;
  while (last > first && results[last - 1] == results.back()) --last;
  if (first == last) return Range();
  // What still differs within the last octave is not known to be the same beyond it.
  if (first < kPerOctave || last + kPerOctave >= x.size()) return std::nullopt;
  return Range{x[first], x[last]};
}

// The pieces begin at multiples of `width`, so that 0 is one of their ends; `before` of them lie
// below it.
struct Pieces {
  double width = 1;
  std::int64_t before = 0;
  std::int16_t bases[kPieces] = {}, rises[kPieces] = {};
  double error = 0;  // the largest, in steps
};

std::vector<float> SamplesOf(const Pieces& pieces) {
  std::vector<float> x;
  for (std::int64_t i = 0; i <= kPieces * kSamples; ++i) {
    const double at = static_cast<double>(i) / kSamples - static_cast<double>(pieces.before);
    x.push_back(static_cast<float>(at * pieces.width));
  }
  return x;
}

// Straight lines as far above the function as below it, at most.
void FitLines(const Steps& function, std::span<const double> y, Pieces& pieces) {
  constexpr double kFar = 100;  // steps beyond all results
  const auto limited = [](double step) { return std::clamp(step, -kFar, 255 + kFar); };
  constexpr double kUnits = 1 << kResultBits;
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::span<const double> own = y.subspan(i * kSamples, kSamples + 1);
    const double begin = limited(own[0]), rise = limited(own[kSamples]) - begin;
    double above = 0, below = 0;
    bool counts = false;
    for (std::size_t k = 0; k <= kSamples; ++k) {
      const double off = limited(own[k]) - begin - rise * static_cast<double>(k) / kSamples;
      above = std::max(above, off);
      below = std::min(below, off);
      counts = counts || (own[k] > function.low() - 0.5 && own[k] < function.high() + 0.5);
    }
    if (counts) pieces.error = std::max(pieces.error, (above - below) / 2);
    const double base = (begin + (above + below) / 2) * kUnits + kUnits / 2;
    pieces.bases[i] = static_cast<std::int16_t>(std::lround(base));
    pieces.rises[i] = static_cast<std::int16_t>(std::lround(rise * kUnits));
  }
}

// Of a few widths that reach over the range the one whose ends are nearest to where the function
// bends.
std::optional<Pieces> BestPieces(const Steps& function, const Range& range) {
  constexpr int kWidths = 24;
  std::optional<Pieces> best;
  for (int i = 0; i < kWidths; ++i) {
    Pieces pieces;
    const double wider = 1 + static_cast<double>(i + 1) / (3 * kWidths);
    // As the kernels have it: a word, rounded once, and 2^10 of them.
    const auto word =
        static_cast<float>((range.end - range.begin) / kPieces * wider / (1 << kPieceBits));
    pieces.width = static_cast<double>(word) * (1 << kPieceBits);
    const double before = std::ceil(-range.begin / pieces.width);
    if (!(std::abs(before) < 1 << 10)) continue;  // words would not be exact so far from 0
    pieces.before = static_cast<std::int64_t>(before);
    if ((kPieces - before) * pieces.width < range.end) continue;
    const std::vector<double> y = function.At(SamplesOf(pieces));
    if (y.empty()) continue;
    FitLines(function, y, pieces);
    if (pieces.error <= kWorst && (!best || pieces.error < best->error)) best = pieces;
  }
  return best;
}

std::int32_t InOne(std::int16_t rise, std::int16_t base) {
  const auto high = static_cast<std::uint32_t>(static_cast<std::uint16_t>(rise));
  return static_cast<std::int32_t>(high << 16 | static_cast<std::uint16_t>(base));
}

}  // namespace

bool MayEndWith(const OpDef& product, const OpDef& function) {
  return Has(kProducts, product.name) && Has(kCurves, function.name);
}

std::optional<CurveStep> CurveOf(const KernelQuery& q, std::size_t through) {
  if (q.quant == nullptr || q.quant->fixed31() || !Has(kCurves, q.op->name) ||
      OnlyInput(q) != through || q.out.size() != 1 || q.in[through].count() != q.out[0].count())
    return std::nullopt;
  const QuantPort& port = q.quant->outputs[0];
  const bool reals = std::none_of(q.quant->inputs.begin(), q.quant->inputs.end(),
                                  [](const QuantPort& input) { return input.quantized(); });
  if (!reals || !port.per_tensor() || (port.dtype != DType::kU8 && port.dtype != DType::kI8))
    return std::nullopt;
  const Steps function(q, through);
  const std::optional<Range> range = WhereResultsDiffer(function);
  const std::optional<Pieces> pieces =
      range ? BestPieces(function, *range) : std::optional<Pieces>();
  if (!pieces) return std::nullopt;
  std::vector<std::int32_t> operand;
  // Words are signed: the piece 0 is the one in the middle.
  for (std::size_t i = 0; i < kPieces; ++i) {
    const std::size_t at = (i + kPieces / 2) % kPieces;
    operand.push_back(InOne(pieces->rises[at], pieces->bases[at]));
  }
  operand.push_back(static_cast<std::int32_t>((pieces->before - kPieces / 2) << kPieceBits));
  operand.push_back(static_cast<std::int32_t>(function.low()));
  operand.push_back(static_cast<std::int32_t>(function.high()));
  operand.push_back(function.flip());
  return CurveStep{Tensor::FromVector<std::int32_t>({kOperandSize}, operand),
                   static_cast<float>(pieces->width / (1 << kPieceBits))};
}

EpilogueStep AsCurveStep(const KernelQuery& node, std::size_t operand, float word) {
  EpilogueStep step = AsTableStep(node, operand);
  step.params[0] = word;
  return step;
}

bool HasCurve(const KernelQuery& q) {
  if (q.epilogue.empty() || q.epilogue[0].operand < 0) return false;
  const PortInfo& port = q.in[static_cast<std::size_t>(q.epilogue[0].operand)];
  return port.constant != nullptr && port.dtype == DType::kI32 && port.count() == kOperandSize;
}

Curve CurveOf(const KernelQuery& q) {
  const PortInfo& port = q.in[static_cast<std::size_t>(q.epilogue[0].operand)];
  const auto operand = port.constant->Data<std::int32_t>();
  Curve curve;
  for (std::size_t i = 0; i < kPieces; ++i) {
    curve.rises[i] = static_cast<std::int16_t>(operand[i] >> 16);
    curve.bases[i] = static_cast<std::int16_t>(operand[i] & 0xFFFF);
    for (std::size_t k = 0; k < 4; ++k) {
      const std::uint32_t before = i < 16 ? 0 : static_cast<std::uint32_t>(operand[i - 16]);
      const std::uint32_t turned = static_cast<std::uint32_t>(operand[i]) ^ before;
      curve.planes[k][i] = static_cast<std::uint8_t>(turned >> 8 * k);
    }
  }
  curve.zero = operand[kPieces];
  curve.low = static_cast<std::uint8_t>(operand[kPieces + 1]);
  curve.high = static_cast<std::uint8_t>(operand[kPieces + 2]);
  curve.flip = static_cast<std::uint8_t>(operand[kPieces + 3]);
  return curve;
}

}  // namespace athanor::kernels::int8
