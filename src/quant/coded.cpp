#include "quant/coded.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/trellis.h"
#include "quant/path_rounding.h"
#include "quant/shared_weights.h"

namespace athanor::quant {
namespace {

constexpr double kTinyWeight = 1e-30;
constexpr int kMostMultiple = 255;
constexpr double kMost = 127;  // integers are [-127, 127]

// How integers of a product are chosen.
struct Grid {
  std::vector<double> steps = {};  // of each row; 0 for a row of zeros
  bool trellis = false;
};

// The rows of the file's tensor are those of the matrix.
bool RowsLieTogether(const CodedProduct& product) { return product.candidate.weight_axis == 0; }

// On a trellis, where it may be, steps are half as wide.
Grid GridOf(const CodedProduct& product, const CodeOptions& options) {
  const std::size_t rows = product.matrix.rows();
  std::vector<double> energies;
  Grid grid = {.trellis = options.trellis && RowsLieTogether(product)};
  double energy = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const double w : product.Row(row)) sum += w * w;
    energies.push_back(sum /
                       static_cast<double>(std::max<std::size_t>(1, product.matrix.columns())));
    energy += energies.back() / static_cast<double>(rows);
  }
  std::vector<double> least;
  for (std::size_t row = 0; row < rows; ++row) {
    double largest = 0;
    for (const double w : product.Row(row)) largest = std::max(largest, std::abs(w));
    const double share = energies[row] / std::max(energy, kTinyWeight);
    const double step = std::sqrt(energy * std::pow(share, options.evenness)) / options.fineness;
    least.push_back(largest / kMost);
    grid.steps.push_back(largest < kTinyWeight ? 0 : step);
    if (grid.steps.back() / 2 < least.back()) grid.trellis = false;
  }
  for (std::size_t row = 0; row < rows; ++row) {
    double& step = grid.steps[row];
    if (step > 0) step = grid.trellis ? step / 2 : std::max(step, least[row]);
  }
  return grid;
}

// Scales need not be finer than the error of rounding asks for: that of the largest scale is at
// most 4 / kScaleShare^2 of it.
int MostMultiple(double fineness) {
  constexpr double kScaleShare = 16;
  int most = 15;
  while (most < kMostMultiple && most < kScaleShare * fineness) most = 2 * most + 1;
  return most;
}

// The largest scale is between half of `most` units and all of them.
int ExponentOf(const std::vector<double>& scales, int most) {
  const double largest = *std::max_element(scales.begin(), scales.end());
  if (largest < kTinyWeight) return 0;
  int exponent = 0;
  std::frexp(largest / (most + 0.5), &exponent);
  return exponent;
}

std::uint8_t MultipleOf(double scale, int exponent) {
  const double units = std::nearbyint(std::ldexp(scale, -exponent));
  return static_cast<std::uint8_t>(std::clamp<double>(units, 1, kMostMultiple));
}

// How often each magnitude comes when weights are rounded to the nearest step of an index.
IndexBits BitsOf(const CodedProduct& product, const Grid& grid) {
  constexpr std::size_t kMagnitudes = 128;
  std::vector<std::uint64_t> counts(kMagnitudes, 0);
  const double per_index = grid.trellis ? 2 : 1;
  for (std::size_t row = 0; row < grid.steps.size(); ++row) {
    if (grid.steps[row] == 0) continue;
    for (const double w : product.Row(row)) {
      const double index = std::nearbyint(std::abs(w) / (per_index * grid.steps[row]));
      ++counts[static_cast<std::size_t>(std::min(index, static_cast<double>(kMagnitudes - 1)))];
    }
  }
  return IndexBits(counts);
}

// What an error of the columns costs on average.
double MeanCost(const RowRounding& rounding, bool make_up) {
  const std::size_t columns = rounding.importance().size();
  double sum = 0;
  for (std::size_t k = 0; k < columns; ++k)
    sum += make_up ? rounding.CostOf(k) : rounding.importance()[k];
  return sum / static_cast<double>(std::max<std::size_t>(1, columns));
}

// Constants that several products share are stored once.
class Scalars {
 public:
  explicit Scalars(Graph& graph) : graph_(graph) {}
  ValueId PowerOfTwo(int exponent) {
    const auto found = known_.find(exponent);
    if (found != known_.end()) return found->second;
    return known_[exponent] = graph_.AddConstant(Tensor::Scalar(std::ldexp(1.0F, exponent)));
  }

 private:
  Graph& graph_;
  std::map<int, ValueId> known_;
};

// The bias on integers as coarse as the error of the sums allows, of 8 bits where they fit.
Result<ValueId> AddBias(Graph& graph, Scalars& scalars, const CodedWeights& weights) {
  constexpr double kSmallShare = 0.005, kMost8 = 127, kMost16 = 32767;
  double largest = kTinyWeight;
  for (const double b : *weights.bias) largest = std::max(largest, std::abs(b));
  const double error = weights.error / static_cast<double>(weights.bias->size());
  const double coarsest = std::max(std::sqrt(12 * kSmallShare * error), kTinyWeight);
  const int exponent = std::max(static_cast<int>(std::floor(std::log2(coarsest))),
                                static_cast<int>(std::ceil(std::log2(largest / kMost16))));
  const bool narrow = std::nearbyint(std::ldexp(largest, -exponent)) <= kMost8;
  const Dims dims = {std::ssize(*weights.bias)};
  std::vector<std::int8_t> bytes;
  std::vector<std::int16_t> words;
  for (const double b : *weights.bias) {
    const double q = std::nearbyint(std::ldexp(b, -exponent));
    if (narrow) bytes.push_back(static_cast<std::int8_t>(q));
    if (!narrow) words.push_back(static_cast<std::int16_t>(q));
  }
  const ValueId integers =
      graph.AddConstant(narrow ? Tensor::FromVector<std::int8_t>(dims, bytes)
                               : Tensor::FromVector<std::int16_t>(dims, words));
  return graph.Add("DequantizeLinear", {integers, scalars.PowerOfTwo(exponent)});
}

Status StoreOne(Graph& graph, Scalars& scalars, const CodedProduct& product,
                const CodedWeights& coded) {
  const Candidate& c = product.candidate;
  const WeightMatrix& matrix = product.matrix;
  ATH_TRY(
      Tensor values,
      Tensor::Allocate(DType::kI8, graph.Constant(graph.node(c.node).inputs[*c.weights])->dims()));
  const auto out = values.MutableData<std::int8_t>();
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k)
      out[matrix.At(row, k)] = coded.integers[row * matrix.columns() + k];
  }
  const ValueId q = graph.AddConstant(std::move(values), graph.node(c.node).name + "_quantized");
  const ValueId multiples = graph.AddConstant(
      Tensor::FromVector<std::uint8_t>({std::ssize(coded.multiples)}, coded.multiples));
  ATH_TRY(const ValueId scale,
          graph.Add("DequantizeLinear", {multiples, scalars.PowerOfTwo(coded.exponent)}));
  ATH_TRY(const ValueId real, graph.Add("DequantizeLinear", {q, scale}, {{"axis", c.weight_axis}}));
  graph.SetInput(c.node, *c.weights, real);
  if (!coded.bias || !c.bias) return {};
  ATH_TRY(const ValueId bias, AddBias(graph, scalars, coded));
  graph.SetInput(c.node, *c.bias, bias);
  return {};
}

}  // namespace

std::vector<double> Covariances(const std::vector<double>& gram, const std::vector<double>& mean) {
  const std::size_t n = mean.size();
  std::vector<double> result = gram;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) result[i * n + j] -= mean[i] * mean[j];
    result[i * n + i] = std::max(result[i * n + i], 0.0);
  }
  return result;
}

Result<std::vector<CodedProduct>> ReadProducts(const Graph& graph, const Candidates& candidates,
                                               const std::map<NodeId, Gram>& grams, bool biased,
                                               double damping) {
  std::vector<CodedProduct> products;
  for (const Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    const Node& node = graph.node(c.node);
    const Tensor& w = *graph.Constant(node.inputs[*c.weights]);
    const auto gram = grams.find(c.node);
    const bool known = gram != grams.end();
    const std::size_t groups = known ? gram->second.groups.size() : 1;
    const auto reads = static_cast<std::size_t>(w.rank() > 2 ? w.dim(1) : 0) * groups;
    CodedProduct product = {.candidate = c, .matrix = WeightMatrix(w, c, reads)};
    const std::size_t columns = product.matrix.columns();
    for (std::size_t row = 0; row < product.matrix.rows(); ++row) {
      for (std::size_t k = 0; k < columns; ++k) {
        const double value = w.Data<float>()[product.matrix.At(row, k)];
        if (!std::isfinite(value)) return DataError("a weight is not finite");
        product.rows.push_back(value);
      }
    }
    if (known && biased && c.bias) {
      product.means = gram->second.means;
      ATH_TRY(product.bias, ToDoubles(*graph.Constant(node.inputs[*c.bias])));
    }
    for (std::size_t group = 0; group < groups; ++group) {
      std::vector<double> square;
      if (known) square = gram->second.groups[group];
      if (!product.bias.empty()) square = Covariances(square, product.means[group]);
      product.rounding.emplace_back(columns, known ? &square : nullptr, damping);
    }
    products.push_back(std::move(product));
  }
  return products;
}

float CodedWeights::Scale(std::size_t row) const {
  return std::ldexp(static_cast<float>(multiples[row]), exponent);
}

CodedWeights Code(const CodedProduct& product, const CodeOptions& options, ThreadPool& pool) {
  const std::size_t columns = product.matrix.columns(), rows = product.matrix.rows();
  CodedWeights result;
  result.integers.resize(rows * columns);
  const Grid grid = GridOf(product, options);
  const IndexBits bits = BitsOf(product, grid);
  std::vector<double> errors(rows), costs;
  for (const RowRounding& rounding : product.rounding)
    costs.push_back(MeanCost(rounding, options.make_up));
  const int most = MostMultiple(options.fineness);
  if (rows > 0) result.exponent = ExponentOf(grid.steps, most);
  for (const double step : grid.steps)
    result.multiples.push_back(MultipleOf(step, result.exponent));
  pool.ParallelFor(static_cast<std::int64_t>(rows), 1, [&](std::int64_t from, std::int64_t to) {
    for (auto row = static_cast<std::size_t>(from); row < static_cast<std::size_t>(to); ++row) {
      const double step = result.Scale(row), index_step = grid.trellis ? 2 * step : step;
      const double cost = costs[costs.size() == 1 ? 0 : row / product.matrix.rows_per_group()];
      errors[row] =
          RoundAlongPath(product.RoundingOf(row), product.Row(row),
                         {.trellis = grid.trellis,
                          .make_up = options.make_up,
                          .price = options.thrift * index_step * index_step * cost,
                          .step = step},
                         bits, std::span(result.integers).subspan(row * columns, columns));
    }
  });
  for (const double error : errors) result.error += error;
  CorrectBias(product, result);
  return result;
}

void CorrectBias(const CodedProduct& product, CodedWeights& weights) {
  if (product.bias.empty()) return;
  const std::size_t columns = product.matrix.columns();
  const std::size_t rows_per_group = product.bias.size() / product.means.size();
  std::vector<double>& bias = weights.bias.emplace(product.bias);
  for (std::size_t row = 0; row < bias.size(); ++row) {
    const std::vector<double>& means = product.means[row / rows_per_group];
    for (std::size_t k = 0; k < columns; ++k) {
      const double now =
          static_cast<double>(weights.integers[row * columns + k]) * weights.Scale(row);
      bias[row] += (product.rows[row * columns + k] - now) * means[k];
    }
  }
}

std::uint64_t CodedBytes(std::span<const std::int8_t> integers, std::size_t row) {
  using Counts = std::array<std::size_t, 256>;
  std::array<Counts, 2> on_trellis = {};
  Counts plain = {};
  bool valid = row > 0;
  int state = 0;
  for (std::size_t i = 0; i < integers.size(); ++i) {
    const int value = integers[i];
    ++plain[static_cast<std::uint8_t>(value)];
    if (!valid) continue;
    if (i % row == 0) state = 0;
    const std::optional<int> index = trellis::IndexOf(state, value);
    valid = index.has_value();
    if (!valid) continue;
    ++on_trellis[static_cast<std::size_t>(state % 2)][static_cast<std::uint8_t>(*index)];
    state = trellis::Next(state, *index);
  }
  const auto bits_of = [](const Counts& counts) {
    double all = 0, used = 0, bits = 0;
    for (const std::size_t count : counts) {
      all += static_cast<double>(count);
      used += count > 0 ? 1 : 0;
    }
    for (const std::size_t count : counts) {
      if (count > 0)
        bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / all);
    }
    // Each frequency is learnt on the way (Rissanen, "Universal coding", 1984).
    return bits + used / 2 * std::log2(std::max(2.0, all / std::max(1.0, used)));
  };
  double bits = bits_of(plain);
  if (valid) bits = std::min(bits, bits_of(on_trellis[0]) + bits_of(on_trellis[1]));
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(bits / 8) + 3, integers.size());
}

Result<Graph> StoreCoded(const Graph& graph, const std::vector<const CodedProduct*>& products,
                         const std::vector<const CodedWeights*>& coded) {
  Graph result = graph.Clone();
  Scalars scalars(result);
  for (std::size_t i = 0; i < products.size(); ++i)
    ATH_RETURN_IF_ERROR(StoreOne(result, scalars, *products[i], *coded[i]));
  ShareIntegers(result);
  return result;
}

}  // namespace athanor::quant
