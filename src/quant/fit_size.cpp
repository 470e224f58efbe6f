#include "quant/fit_size.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/thread_pool.h"
#include "quant/decide.h"
#include "quant/rounding.h"

namespace athanor::quant {
namespace {

constexpr std::array kLevelChoices = {3, 5, 7, 9, 11, 15, 21, 31, 47, 63, 95, 127, 255};
constexpr std::size_t kProbe = 5;  // which of them tells how noise reaches the outputs
constexpr double kTinyWeight = 1e-30;
// How much of the range to the largest weight is tried.
constexpr int kRangeSteps = 32, kFewestSteps = 8;

// The weights of one product as rows, and what rounding them needs.
struct Product {
  Candidate candidate;
  WeightMatrix matrix;
  std::vector<double> rows;
  std::vector<RowRounding> rounding;  // per group of rows

  const RowRounding& Of(std::size_t row) const {
    return rounding[rounding.size() == 1 ? 0 : row / matrix.rows_per_group()];
  }
  std::span<const double> Row(std::size_t row) const {
    return std::span(rows).subspan(row * matrix.columns(), matrix.columns());
  }
};

// The scale of a row with the least error that its integers [-most, most] can have when rounded to
// nearest, and that error.
struct RowScale {
  float scale = 1;
  double error = 0;
};
RowScale ScaleRow(std::span<const double> w, std::span<const double> importance, double most) {
  double largest = 0;
  for (const double value : w) largest = std::max(largest, std::abs(value));
  if (largest < kTinyWeight) return {};
  RowScale best = {1, std::numeric_limits<double>::infinity()};
  for (int share = kRangeSteps; share >= kFewestSteps; --share) {
    const auto scale = static_cast<float>(largest / most * share / kRangeSteps);
    double error = 0;
    for (std::size_t k = 0; k < w.size() && error < best.error; ++k) {
      const double q = std::clamp(std::nearbyint(w[k] / scale), -most, most);
      error += importance[k] * (w[k] - q * scale) * (w[k] - q * scale);
    }
    if (error < best.error) best = {scale, error};
  }
  return best;
}

// What the integers take: their entropy and the table of their code, or a byte each.
std::uint64_t CodedBytes(std::span<const std::int8_t> integers) {
  std::array<std::size_t, 256> counts = {};
  for (const std::int8_t q : integers) ++counts[static_cast<std::uint8_t>(q)];
  double bits = 0;
  std::uint64_t table = 0;
  for (const std::size_t count : counts) {
    if (count == 0) continue;
    const auto n = static_cast<double>(count);
    bits -= n * std::log2(n / static_cast<double>(integers.size()));
    table += 3;
  }
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(bits / 8) + table + 9, integers.size());
}

struct Rounded {
  std::vector<std::int8_t> integers;  // rows * columns
  std::vector<float> scales;
  double error = 0;  // of the sums, were each column's error alone
};

Rounded Round(const Product& product, int levels, bool make_up, int threads) {
  const double most = (levels - 1) / 2;
  const std::size_t columns = product.matrix.columns(), rows = product.matrix.rows();
  Rounded result;
  result.integers.resize(rows * columns);
  result.scales.resize(rows);
  std::vector<double> errors(rows);
  ThreadPool pool(threads);
  pool.ParallelFor(static_cast<std::int64_t>(rows), 1, [&](std::int64_t from, std::int64_t to) {
    for (auto row = static_cast<std::size_t>(from); row < static_cast<std::size_t>(to); ++row) {
      const RowRounding& rounding = product.Of(row);
      const RowScale by = ScaleRow(product.Row(row), rounding.importance(), most);
      result.scales[row] = by.scale;
      errors[row] = by.error;
      std::vector<double> w(product.Row(row).begin(), product.Row(row).end());
      for (std::size_t k = 0; k < columns; ++k) {
        const double q = std::clamp(std::nearbyint(w[k] / by.scale), -most, most);
        result.integers[row * columns + k] = static_cast<std::int8_t>(q);
        if (make_up) rounding.MakeUp(w, k, w[k] - q * by.scale);
      }
    }
  });
  for (const double error : errors) result.error += error;
  return result;
}

Result<std::vector<Product>> ReadProducts(const Graph& graph, const Candidates& candidates,
                                          const std::map<NodeId, Gram>& grams, double damping) {
  std::vector<Product> products;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    const Node& node = graph.node(c.node);
    const Tensor& w = *graph.Constant(node.inputs[*c.weights]);
    const auto gram = grams.find(c.node);
    const std::size_t groups = gram == grams.end() ? 1 : gram->second.groups.size();
    const auto reads = static_cast<std::size_t>(w.rank() > 2 ? w.dim(1) : 0) * groups;
    Product product = {
        .candidate = c, .matrix = WeightMatrix(w, c, reads), .rows = {}, .rounding = {}};
    const std::size_t columns = product.matrix.columns();
    for (std::size_t row = 0; row < product.matrix.rows(); ++row) {
      for (std::size_t k = 0; k < columns; ++k) {
        const double value = w.Data<float>()[product.matrix.At(row, k)];
        if (!std::isfinite(value)) return DataError("a weight is not finite");
        product.rows.push_back(value);
      }
    }
    for (std::size_t group = 0; group < groups; ++group) {
      product.rounding.emplace_back(
          columns, gram == grams.end() ? nullptr : &gram->second.groups[group], damping);
    }
    products.push_back(std::move(product));
  }
  return products;
}

// The graph with the weights of some products on integers.
Result<Graph> Store(const Graph& graph, const std::vector<const Product*>& products,
                    const std::vector<Rounded>& rounded) {
  Graph result = graph.Clone();
  for (std::size_t i = 0; i < products.size(); ++i) {
    const Candidate& c = products[i]->candidate;
    const WeightMatrix& matrix = products[i]->matrix;
    const Tensor& w = *graph.Constant(graph.node(c.node).inputs[*c.weights]);
    ATH_TRY(Tensor values, Tensor::Allocate(DType::kI8, w.dims()));
    const auto out = values.MutableData<std::int8_t>();
    for (std::size_t row = 0; row < matrix.rows(); ++row) {
      for (std::size_t k = 0; k < matrix.columns(); ++k)
        out[matrix.At(row, k)] = rounded[i].integers[row * matrix.columns() + k];
    }
    const std::string name = graph.node(c.node).name + "_weights";
    const ValueId q = result.AddConstant(std::move(values), name + "_quantized");
    const ValueId scale = result.AddConstant(
        Tensor::FromVector<float>({static_cast<std::int64_t>(matrix.rows())}, rounded[i].scales),
        name + "_scale");
    ATH_TRY(const ValueId real, result.Add("DequantizeLinear", {q, scale},
                                           {{"axis", c.weight_axis}}, name + "_dequantize"));
    result.SetInput(c.node, *c.weights, real);
  }
  result.ReleaseUnusedConstants();
  return result;
}

// noise at the outputs / noise in the sums of each product.
Result<std::vector<double>> Sensitivities(const Graph& graph, const std::vector<Product>& products,
                                          std::size_t samples, const SampleSource& source,
                                          const FitSizeOptions& options) {
  ATH_TRY(const Outputs real, Outputs::Of(graph, samples, source, options.threads));
  std::vector<double> result;
  for (const Product& product : products) {
    std::vector<Rounded> alone;
    alone.push_back(Round(product, kLevelChoices[kProbe], false, options.threads));
    ATH_TRY(const Graph small, Store(graph, {&product}, alone));
    ATH_TRY(const Outputs outputs, Outputs::Of(small, samples, source, options.threads));
    result.push_back(alone[0].error > 0 ? real.ErrorOf(outputs) / alone[0].error : 0);
    if (options.after_product) options.after_product();
  }
  return result;
}

}  // namespace

std::optional<std::vector<std::size_t>> ChooseStorage(
    const std::vector<std::vector<StoreForm>>& items, std::uint64_t bytes) {
  constexpr std::uint64_t kSteps = 16384;
  const std::uint64_t unit = std::max<std::uint64_t>(1, bytes / kSteps);
  const auto room = static_cast<std::size_t>(bytes / unit);
  constexpr double kNever = std::numeric_limits<double>::infinity();
  // least[s]: of the items so far in s units at most; chosen[i][s]: what item i does there.
  std::vector<double> least(room + 1, 0.0), next(room + 1);
  std::vector<std::vector<std::uint8_t>> chosen;
  for (const std::vector<StoreForm>& ways : items) {
    std::fill(next.begin(), next.end(), kNever);
    std::vector<std::uint8_t>& way_at = chosen.emplace_back(room + 1, 0);
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const auto units = static_cast<std::size_t>((ways[way].bytes + unit - 1) / unit);
      for (std::size_t s = units; s <= room; ++s) {
        const double noise = least[s - units] + ways[way].noise;
        if (noise >= next[s]) continue;
        next[s] = noise;
        way_at[s] = static_cast<std::uint8_t>(way);
      }
    }
    std::swap(least, next);
  }
  if (least[room] == kNever) return std::nullopt;
  std::vector<std::size_t> result(items.size());
  std::size_t left = room;
  for (std::size_t i = items.size(); i-- > 0;) {
    result[i] = chosen[i][left];
    left -= static_cast<std::size_t>((items[i][result[i]].bytes + unit - 1) / unit);
  }
  return result;
}

Result<Graph> FitSize(const Graph& graph, std::size_t count, const SampleSource& source,
                      const FitSizeOptions& options, FitSizeReport& report) {
  ATH_TRY(const Candidates candidates, FindCandidates(graph));
  ATH_TRY(const auto grams,
          CollectGrams(graph, candidates, nullptr, count, source, {.threads = options.threads}));
  ATH_TRY(const std::vector<Product> products,
          ReadProducts(graph, candidates, grams, options.damping));
  ATH_TRY(const std::vector<double> sensitivities,
          Sensitivities(graph, products, std::min(count, options.few), source, options));
  std::vector<std::vector<StoreForm>> ways;
  std::vector<const Product*> all;
  for (std::size_t i = 0; i < products.size(); ++i) {
    std::vector<StoreForm>& of_product = ways.emplace_back();
    all.push_back(&products[i]);
    for (const int levels : kLevelChoices) {
      const Rounded rounded = Round(products[i], levels, false, options.threads);
      of_product.push_back({sensitivities[i] * rounded.error, CodedBytes(rounded.integers)});
    }
  }
  // What the products may take: the file less all else, which only writing it tells.
  std::uint64_t room = options.bytes;
  constexpr int kTries = 8;
  for (int tries = 0; tries < kTries; ++tries) {
    const auto chosen = ChooseStorage(ways, room);
    if (!chosen) break;
    std::vector<Rounded> rounded;
    report.products.clear();
    for (std::size_t i = 0; i < products.size(); ++i) {
      const int levels = kLevelChoices[(*chosen)[i]];
      rounded.push_back(Round(products[i], levels, true, options.threads));
      const NodeId node = products[i].candidate.node;
      report.products.push_back({.node = node,
                                 .name = graph.node(node).name,
                                 .levels = levels,
                                 .bytes = CodedBytes(rounded.back().integers),
                                 .noise = ways[i][(*chosen)[i]].noise,
                                 .weights = std::ssize(products[i].rows)});
    }
    ATH_TRY(Graph small, Store(graph, all, rounded));
    ATH_TRY(report.bytes, options.size_of(small));
    if (report.bytes <= options.bytes) return small;
    const std::uint64_t over = report.bytes - options.bytes;
    if (over >= room) break;
    room -= over;
  }
  return Error(ErrorCode::kAccuracy, "the file cannot be made to fit {} bytes", options.bytes)
      .Fix("a smaller --target-ratio: what is no weight of a product keeps its size");
}

}  // namespace athanor::quant
