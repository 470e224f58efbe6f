#include "quant/half_weights.h"

#include <cmath>

namespace athanor::quant {
namespace {

// Smaller constants may be arguments that have to be known before anything runs.
constexpr std::int64_t kFewest = 64;
// f16 has 11 bits and bf16 8: more error than this comes of numbers that lie below the type's
// range.
constexpr double kMostError = 0.01;

// Nothing where the error would be larger than rounding makes it.
template <class Small>
Result<std::optional<Tensor>> Rounded(const Tensor& from) {
  ATH_TRY(Tensor to, Tensor::Allocate(DTypeOf<Small>::value, from.dims()));
  const auto in = from.Data<float>();
  const auto out = to.MutableData<Small>();
  double energy = 0, error = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    out[i] = Small(in[i]);
    const double was = in[i], away = was - static_cast<double>(static_cast<float>(out[i]));
    energy += was * was;
    error += away * away;
  }
  // Also where an infinity came of it, or was there.
  if (!(error <= kMostError * kMostError * energy)) return std::optional<Tensor>();
  return std::optional<Tensor>(std::move(to));
}

}  // namespace

Result<Graph> StoreInHalf(const Graph& graph, DType dtype, HalfReport& report) {
  Graph result = graph.Clone();
  const std::size_t values = result.value_capacity();
  for (std::size_t i = 0; i < values; ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = result.Constant(id);
    if (constant == nullptr || result.num_uses(id) == 0 || constant->dtype() != DType::kF32 ||
        constant->count() < kFewest)
      continue;
    ATH_TRY(std::optional<Tensor> small,
            dtype == DType::kF16 ? Rounded<Half>(*constant) : Rounded<BFloat16>(*constant));
    const std::string name = result.value(id).name;
    if (!small) {
      report.kept.push_back(name);
      continue;
    }
    const ValueId half = result.AddConstant(*std::move(small), name + "_half");
    ATH_TRY(const ValueId real, result.Add("Cast", {half}, {{"to", DType::kF32}}, name + "_read"));
    result.ReplaceUses(id, real);
    ++report.stored;
  }
  result.ReleaseUnusedConstants();
  return result;
}

}  // namespace athanor::quant
