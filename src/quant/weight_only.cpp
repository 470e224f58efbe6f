#include "quant/weight_only.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/thread_pool.h"
#include "passes/clean.h"
#include "quant/quantize.h"
#include "quant/rounding.h"

namespace athanor::quant {
namespace {

constexpr int kLevels = 15;
constexpr int kRefits = 5, kRanges = 5;
constexpr double kRangeStep = 0.05;
constexpr double kTiny = 1e-30;

struct GroupScale {
  float scale = 1;
  int zero = 0;
  int Integer(double w) const {
    return static_cast<int>(std::clamp(std::nearbyint(w / scale) + zero, 0.0, double{kLevels}));
  }
  double Value(int q) const { return static_cast<double>(q - zero) * scale; }
};

GroupScale WholeRange(std::span<const double> w, double share) {
  const auto [least, most] = std::minmax_element(w.begin(), w.end());
  const double low = std::min(0.0, *least), high = std::max(0.0, *most);
  GroupScale by;
  if (high - low < kTiny) return by;
  by.scale = static_cast<float>((high - low) / kLevels * share);
  by.zero =
      static_cast<int>(std::clamp(std::nearbyint(-low * share / by.scale), 0.0, double{kLevels}));
  return by;
}

double ErrorWith(const GroupScale& by, std::span<const double> w,
                 std::span<const double> importance) {
  double error = 0;
  for (std::size_t k = 0; k < w.size(); ++k) {
    const double away = w[k] - by.Value(by.Integer(w[k]));
    error += importance[k] * away * away;
  }
  return error;
}

// For each of some ranges: the scale that fits the integers best, and the integers that fit it, in
// turn.
GroupScale Fitted(std::span<const double> w, std::span<const double> importance) {
  GroupScale best = WholeRange(w, 1);
  double least = ErrorWith(best, w, importance);
  for (int i = 0; i < kRanges; ++i) {
    GroupScale by = WholeRange(w, 1 - kRangeStep * i);
    for (int refit = 0; refit < kRefits; ++refit) {
      double upper = 0, lower = 0;
      for (std::size_t k = 0; k < w.size(); ++k) {
        const double steps = by.Integer(w[k]) - by.zero;
        upper += importance[k] * w[k] * steps;
        lower += importance[k] * steps * steps;
      }
      if (!(lower > 0) || !(upper > 0)) break;
      by.scale = static_cast<float>(upper / lower);
      const double error = ErrorWith(by, w, importance);
      if (error < least) {
        least = error;
        best = by;
      }
    }
  }
  return best;
}

void GroupRow(std::span<double> w, std::size_t row, const RowRounding& shared,
              const WeightOnlyOptions& options, GroupedWeights& result) {
  const std::size_t n = result.columns;
  GroupScale by;
  for (std::size_t k = 0; k < n; ++k) {
    if (k % result.group == 0) {
      const std::size_t count = std::min(result.group, n - k);
      const auto part = std::span<const double>(w).subspan(k, count);
      by = options.estimate_scales
               ? Fitted(part, std::span<const double>(shared.importance()).subspan(k, count))
               : WholeRange(part, 1);
      const std::size_t at = row * result.blocks() + k / result.group;
      result.scales[at] = by.scale;
      result.zeros[at] = static_cast<std::uint8_t>(by.zero);
    }
    const int q = by.Integer(w[k]);
    result.integers[row * n + k] = static_cast<std::uint8_t>(q);
    shared.MakeUp(w, k, w[k] - by.Value(q));
  }
}

}  // namespace

Result<GroupedWeights> GroupWeights(std::vector<double> w, std::size_t columns, const Gram* gram,
                                    const WeightOnlyOptions& options) {
  GroupedWeights result = {
      .rows = columns == 0 ? 0 : w.size() / columns, .columns = columns, .group = options.group};
  for (const double value : w) {
    if (!std::isfinite(value)) return DataError("a weight is not finite");
  }
  result.integers.resize(w.size());
  result.scales.resize(result.rows * result.blocks());
  result.zeros.resize(result.rows * result.blocks());
  const RowRounding shared(columns, gram == nullptr ? nullptr : &gram->groups[0],
                           options.gptq ? options.damping : 0);
  ThreadPool pool(options.threads);
  pool.ParallelFor(
      static_cast<std::int64_t>(result.rows), 1, [&](std::int64_t from, std::int64_t to) {
        for (auto row = static_cast<std::size_t>(from); row < static_cast<std::size_t>(to); ++row)
          GroupRow(std::span(w).subspan(row * columns, columns), row, shared, options, result);
      });
  return result;
}

namespace {

Result<ValueId> AddProduct(Graph& graph, const Candidate& c, const GroupedWeights& weights) {
  const Node& node = graph.node(c.node);
  const std::string name = node.name;
  const ValueId x = node.inputs[0];
  const ValueId bias = c.bias ? node.inputs[*c.bias] : kNoValue;
  const auto rows = static_cast<std::int64_t>(weights.rows);
  const auto nibbles = [](const std::vector<std::uint8_t>& values, Dims dims) -> Result<Tensor> {
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kU4, std::move(dims)));
    const auto out = tensor.MutableData<UInt4>();
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = UInt4(values[i]);
    return tensor;
  };
  const auto blocks = static_cast<std::int64_t>(weights.blocks());
  ATH_TRY(Tensor integers,
          nibbles(weights.integers, {rows, static_cast<std::int64_t>(weights.columns)}));
  ATH_TRY(Tensor zeros, nibbles(weights.zeros, {rows, blocks}));
  const ValueId q = graph.AddConstant(std::move(integers), name + "_weights_quantized");
  const ValueId scale = graph.AddConstant(Tensor::FromVector<float>({rows, blocks}, weights.scales),
                                          name + "_weights_scale");
  const ValueId zero = graph.AddConstant(std::move(zeros), name + "_weights_zero_point");
  ATH_TRY(const ValueId real, graph.Add("DequantizeLinear", {q, scale, zero},
                                        {{"axis", std::int64_t{1}},
                                         {"block_size", static_cast<std::int64_t>(weights.group)}},
                                        name + "_weights_dequantize"));
  ATH_TRY(const ValueId turned,
          graph.Add("Transpose", {real}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                    name + "_weights_transpose"));
  ATH_TRY(const ValueId y, graph.Add("MatMul", {x, turned}, {}, name));
  if (bias == kNoValue) return y;
  return graph.Add("Add", {y, bias}, {}, name + "_bias");
}

}  // namespace

Result<Graph> QuantizeWeights(const Graph& graph, std::size_t count, const SampleSource& source,
                              const WeightOnlyOptions& options, WeightOnlyReport& report) {
  ATH_TRY(Candidates candidates, FindCandidates(graph));
  ATH_RETURN_IF_ERROR(CheckQuantizable(graph, candidates));
  std::erase_if(candidates.nodes, [&](const Candidate& c) {
    if (!c.weights) return true;
    const Tensor& w = *graph.Constant(graph.node(c.node).inputs[*c.weights]);
    return w.rank() != 2 || static_cast<std::size_t>(w.dim(1 - c.weight_axis)) < options.group;
  });
  if (candidates.nodes.empty())
    return Unsupported("no MatMul or Gemm with constant weights has {} inputs or more",
                       options.group)
        .Fix("--group 32, or --activations 8");
  std::map<NodeId, Gram> grams;
  if (options.gptq || options.estimate_scales) {
    ATH_TRY(grams,
            CollectGrams(graph, candidates, nullptr, count, source, {.threads = options.threads}));
  }
  Graph result = graph.Clone();
  for (const Candidate& c : candidates.nodes) {
    const Tensor w = *graph.Constant(graph.node(c.node).inputs[*c.weights]);
    const WeightMatrix matrix(w, c);
    std::vector<double> rows(matrix.rows() * matrix.columns());
    for (std::size_t row = 0; row < matrix.rows(); ++row) {
      for (std::size_t k = 0; k < matrix.columns(); ++k)
        rows[row * matrix.columns() + k] = w.Data<float>()[matrix.At(row, k)];
    }
    const auto gram = grams.find(c.node);
    ATH_TRY(const GroupedWeights weights,
            GroupWeights(std::move(rows), matrix.columns(),
                         gram == grams.end() ? nullptr : &gram->second, options));
    const ValueId old = graph.node(c.node).outputs[0];
    report.products.push_back(graph.node(c.node).name);
    ATH_TRY(const ValueId y, AddProduct(result, c, weights));
    result.SetName(y, graph.value(old).name);
    result.ReplaceUses(old, y);
    result.EraseNode(c.node);
  }
  ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(result).status());
  result.ReleaseUnusedConstants();
  return result;
}

}  // namespace athanor::quant
