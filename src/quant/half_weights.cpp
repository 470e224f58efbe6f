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

Status StoreIn(Graph& graph, DType dtype, HalfReport& report) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (const NodeId id : order) {
    for (std::size_t b = 0; b < graph.node(id).bodies.size(); ++b)
      ATH_RETURN_IF_ERROR(StoreIn(graph.body(id, b), dtype, report));
  }
  const std::size_t values = graph.value_capacity();
  for (std::size_t i = 0; i < values; ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant == nullptr || graph.num_uses(id) == 0 || constant->dtype() != DType::kF32 ||
        constant->count() < kFewest)
      continue;
    ATH_TRY(std::optional<Tensor> small,
            dtype == DType::kF16 ? Rounded<Half>(*constant) : Rounded<BFloat16>(*constant));
    const std::string name = graph.value(id).name;
    if (!small) {
      report.kept.push_back(name);
      continue;
    }
    const ValueId half = graph.AddConstant(*std::move(small), name + "_half");
    ATH_TRY(const ValueId real, graph.Add("Cast", {half}, {{"to", DType::kF32}}, name + "_read"));
    graph.ReplaceUses(id, real);
    ++report.stored;
  }
  graph.ReleaseUnusedConstants();
  return {};
}

}  // namespace

Result<Graph> StoreInHalf(const Graph& graph, DType dtype, HalfReport& report) {
  Graph result = graph.Clone();
  ATH_RETURN_IF_ERROR(StoreIn(result, dtype, report));
  if (report.stored == 0 && report.kept.empty())
    return Unsupported(
        "nothing in this model would be halved: it has no constant of {} f32 or more", kFewest);
  return result;
}

}  // namespace athanor::quant
