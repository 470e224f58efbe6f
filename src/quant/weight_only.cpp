#include "quant/weight_only.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/thread_pool.h"
#include "passes/clean.h"
#include "quant/correct.h"
#include "quant/rounding.h"
#include "quant/shared_weights.h"

namespace athanor::quant {
namespace {

constexpr int kRefits = 5, kRanges = 5;
constexpr double kRangeStep = 0.05;
constexpr double kTiny = 1e-30;

struct GroupScale {
  float scale = 1;
  int zero = 0;
  int most = 15;  // the largest integer
  int Integer(double w) const {
    const auto top = static_cast<double>(most);
    return static_cast<int>(std::clamp(std::nearbyint(w / scale) + zero, 0.0, top));
  }
  double Value(int q) const { return static_cast<double>(q - zero) * scale; }
};

GroupScale WholeRange(std::span<const double> w, double share, int bits) {
  const auto [least, most] = std::minmax_element(w.begin(), w.end());
  const double low = std::min(0.0, *least), high = std::max(0.0, *most);
  GroupScale by = {.most = (1 << bits) - 1};
  if (high - low < kTiny) return by;
  const auto top = static_cast<double>(by.most);
  by.scale = static_cast<float>((high - low) / top * share);
  by.zero = static_cast<int>(std::clamp(std::nearbyint(-low * share / by.scale), 0.0, top));
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
GroupScale Fitted(std::span<const double> w, std::span<const double> importance, int bits) {
  GroupScale best = WholeRange(w, 1, bits);
  double least = ErrorWith(best, w, importance);
  for (int i = 0; i < kRanges; ++i) {
    GroupScale by = WholeRange(w, 1 - kRangeStep * i, bits);
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
               ? Fitted(part, std::span<const double>(shared.importance()).subspan(k, count),
                        options.bits)
               : WholeRange(part, 1, options.bits);
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

constexpr int kPowers = 20;             // AWQ tries the powers 0, 1/20 ... 1
constexpr std::size_t kAwqRows = 64;    // of each product it looks at
constexpr double kLargestFactor = 1e4;  // and its inverse

// The error in the outputs of some rows when each is rounded, to nearest, after its columns were
// multiplied by the factors.
double AwqError(const std::vector<double>& w, std::size_t columns, const Gram& gram,
                const std::vector<double>& factors, const WeightOnlyOptions& options) {
  const std::size_t rows = w.size() / columns, step = std::max<std::size_t>(1, rows / kAwqRows);
  const std::vector<double>& square = gram.groups[0];
  std::vector<double> scaled(columns), away(columns);
  double error = 0;
  for (std::size_t row = 0; row < rows; row += step) {
    const auto part = std::span(w).subspan(row * columns, columns);
    for (std::size_t k = 0; k < columns; ++k) scaled[k] = part[k] * factors[k];
    for (std::size_t from = 0; from < columns; from += options.group) {
      const std::size_t count = std::min(options.group, columns - from);
      const GroupScale by = WholeRange(std::span(scaled).subspan(from, count), 1, options.bits);
      for (std::size_t k = from; k < from + count; ++k)
        away[k] = part[k] - by.Value(by.Integer(scaled[k])) / factors[k];
    }
    for (std::size_t i = 0; i < columns; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < columns; ++j) sum += square[i * columns + j] * away[j];
      error += away[i] * sum;
    }
  }
  return error;
}

}  // namespace

std::optional<std::vector<double>> FindAwqFactors(const std::vector<std::vector<double>>& weights,
                                                  std::size_t columns, const Gram& gram,
                                                  const WeightOnlyOptions& options) {
  std::vector<std::optional<double>> size(columns);  // logarithms
  double sum = 0, live = 0;
  for (std::size_t k = 0; k < columns; ++k) {
    const double energy = gram.groups[0][k * columns + k];
    if (!(energy > 0)) continue;
    size[k] = std::log(std::sqrt(energy));
    sum += *size[k];
    ++live;
  }
  // An input that is always 0 must not move the factors of the others to their limit.
  const double mean = sum / std::max(live, 1.0);
  std::vector<std::vector<double>> tried(kPowers + 1, std::vector<double>(columns, 1.0));
  std::vector<double> errors(kPowers + 1, 0.0);
  ThreadPool pool(options.threads);
  pool.ParallelFor(kPowers + 1, 1, [&](std::int64_t from, std::int64_t to) {
    for (auto i = static_cast<std::size_t>(from); i < static_cast<std::size_t>(to); ++i) {
      const double power = static_cast<double>(i) / kPowers;
      for (std::size_t k = 0; k < columns; ++k)
        tried[i][k] = static_cast<float>(std::clamp(
            std::exp(power * (size[k].value_or(mean) - mean)), 1 / kLargestFactor, kLargestFactor));
      for (const std::vector<double>& w : weights)
        errors[i] += AwqError(w, columns, gram, tried[i], options);
      if (options.after_power) options.after_power();
    }
  });
  const auto best = std::min_element(errors.begin(), errors.end()) - errors.begin();
  if (best == 0) return std::nullopt;
  return std::move(tried[static_cast<std::size_t>(best)]);
}

namespace {

// The inputs once they are divided by the factors.
Gram Divided(const Gram& gram, const std::vector<double>& factors) {
  Gram result = gram;
  const std::size_t n = factors.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) result.groups[0][i * n + j] /= factors[i] * factors[j];
    if (!result.means.empty()) result.means[0][i] /= factors[i];
  }
  return result;
}

Result<Tensor> Packed(const std::vector<std::uint8_t>& values, Dims dims, int bits) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(bits == 4 ? DType::kU4 : DType::kU8, std::move(dims)));
  if (bits == 4) {
    const auto out = tensor.MutableData<UInt4>();
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = UInt4(values[i]);
  } else {
    std::ranges::copy(values, tensor.MutableData<std::uint8_t>().begin());
  }
  return tensor;
}

// `x`: what the product reads now.
Result<ValueId> AddProduct(Graph& graph, const Candidate& c, ValueId x,
                           const GroupedWeights& weights, int bits) {
  const Node& node = graph.node(c.node);
  const std::string name = node.name;
  const ValueId bias = c.bias ? node.inputs[*c.bias] : kNoValue;
  const auto rows = static_cast<std::int64_t>(weights.rows);
  const auto blocks = static_cast<std::int64_t>(weights.blocks());
  ATH_TRY(Tensor integers,
          Packed(weights.integers, {rows, static_cast<std::int64_t>(weights.columns)}, bits));
  ATH_TRY(Tensor zeros, Packed(weights.zeros, {rows, blocks}, bits));
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

std::vector<double> FloatRows(const Graph& graph, const Candidate& c) {
  const Tensor& w = *graph.Constant(graph.node(c.node).inputs[*c.weights]);
  const WeightMatrix matrix(w, c);
  std::vector<double> rows(matrix.rows() * matrix.columns());
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k)
      rows[row * matrix.columns() + k] = w.Data<float>()[matrix.At(row, k)];
  }
  return rows;
}

// Products that read the same value share its factors, since it is divided once.
class WeightsOnly {
 public:
  WeightsOnly(const Graph& graph, const std::map<NodeId, Gram>& grams,
              const WeightOnlyOptions& options, WeightOnlyReport& report)
      : graph_(graph), grams_(grams), options_(options), report_(report), result_(graph.Clone()) {}

  Result<Graph> Run(const Candidates& candidates) {
    std::map<ValueId, std::vector<const Candidate*>> readers;
    for (const Candidate& c : candidates.nodes)
      readers[graph_.node(c.node).inputs[0]].push_back(&c);
    if (options_.awq) {
      if (options_.before_powers) options_.before_powers(CountPowers(readers));
      for (const auto& [x, products] : readers) ATH_RETURN_IF_ERROR(DivideInput(x, products));
    }
    for (const Candidate& c : candidates.nodes) ATH_RETURN_IF_ERROR(Replace(c));
    ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(result_).status());
    ShareIntegers(result_);
    return std::move(result_);
  }

 private:
  std::size_t CountPowers(const std::map<ValueId, std::vector<const Candidate*>>& readers) const {
    const auto known = std::ranges::count_if(
        readers, [&](const auto& one) { return grams_.contains(one.second[0]->node); });
    return static_cast<std::size_t>(known) * (kPowers + 1);
  }

  Status DivideInput(ValueId x, const std::vector<const Candidate*>& products) {
    const auto gram = grams_.find(products[0]->node);
    if (gram == grams_.end()) return {};
    std::vector<std::vector<double>> weights;
    for (const Candidate* c : products) weights.push_back(FloatRows(graph_, *c));
    const std::size_t columns = gram->second.size;
    std::optional<std::vector<double>> factors =
        FindAwqFactors(weights, columns, gram->second, options_);
    if (!factors) return {};
    std::vector<float> inverse;
    for (const double factor : *factors) inverse.push_back(static_cast<float>(1 / factor));
    const std::string name = graph_.node(products[0]->node).name;
    const ValueId by = result_.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(columns)}, inverse),
        name + "_input_factors");
    ATH_TRY(divided_[x], result_.Add("Mul", {x, by}, {}, name + "_input_divide"));
    factors_[x] = *std::move(factors);
    report_.scaled += products.size();
    return {};
  }

  Status Replace(const Candidate& c) {
    const Node& node = graph_.node(c.node);
    // What was replaced before is read under its new name.
    ValueId x = result_.node(c.node).inputs[0];
    std::vector<double> rows = FloatRows(graph_, c);
    const Tensor& w = *graph_.Constant(node.inputs[*c.weights]);
    const std::size_t columns = WeightMatrix(w, c).columns();
    const auto found = grams_.find(c.node);
    const Gram* gram = found == grams_.end() ? nullptr : &found->second;
    Gram divided;
    if (const auto factors = factors_.find(node.inputs[0]); factors != factors_.end()) {
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i] *= factors->second[i % columns];
      divided = Divided(*gram, factors->second);
      gram = &divided;
      x = divided_.at(node.inputs[0]);
    }
    ATH_TRY(const GroupedWeights weights, GroupWeights(std::move(rows), columns, gram, options_));
    const ValueId old = node.outputs[0];
    report_.products.push_back(NameOf(graph_, c.node));
    ATH_TRY(const ValueId y, AddProduct(result_, c, x, weights, options_.bits));
    result_.SetName(y, graph_.value(old).name);
    result_.ReplaceUses(old, y);
    result_.EraseNode(c.node);
    return {};
  }

  const Graph& graph_;
  const std::map<NodeId, Gram>& grams_;
  const WeightOnlyOptions& options_;
  WeightOnlyReport& report_;
  Graph result_;
  std::map<ValueId, std::vector<double>> factors_;  // of values that are divided
  std::map<ValueId, ValueId> divided_;
};

// Products without groups.
Result<Graph> StoreOthers(Graph graph, std::size_t count, const SampleSource& source,
                          const WeightOnlyOptions& options, WeightOnlyReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  std::set<NodeId> products;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    products.insert(c.node);
    report.others.push_back(NameOf(graph, c.node));
  }
  if (products.empty()) return graph;
  const Corrections corrections = {.bias = options.gptq, .gptq = options.gptq};
  ATH_TRY(const Prepared prepared,
          Prepare(graph, graph, count, source, corrections, {.threads = options.threads}));
  QuantizeOptions how = {.in_float = std::move(products), .store_in_float = true};
  UseRounding(prepared, corrections, how);
  ATH_TRY(Quantized made, QuantizePrepared(prepared, count, source, corrections, std::move(how)));
  return std::move(made.graph);
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
  constexpr std::size_t kLeastGroup = 32;
  constexpr int kGroupedOnly = 4;  // bits that weights without groups do not come in
  if (candidates.nodes.empty() && options.bits == kGroupedOnly)
    return Unsupported("no MatMul or Gemm with constant weights has {} inputs or more",
                       options.group)
        .Fix(options.group > kLeastGroup ? "--group 32, or --weight-bits 8" : "--weight-bits 8");
  std::map<NodeId, Gram> grams;
  if (options.gptq || options.estimate_scales || options.awq) {
    ATH_TRY(grams,
            CollectGrams(graph, candidates, nullptr, count, source, {.threads = options.threads}));
  }
  ATH_TRY(Graph grouped, WeightsOnly(graph, grams, options, report).Run(candidates));
  return StoreOthers(std::move(grouped), count, source, options, report);
}

}  // namespace athanor::quant
