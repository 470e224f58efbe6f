#include "quant/coded.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace athanor::quant {
namespace {

constexpr double kTinyWeight = 1e-30;
constexpr int kMostMultiple = 255;
constexpr double kMost = 127;  // integers are [-127, 127]

// The step of each row; 0 for a row of zeros.
std::vector<double> Steps(const CodedProduct& product, const CodeOptions& options) {
  const std::size_t rows = product.matrix.rows();
  std::vector<double> energies, steps;
  double energy = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const double w : product.Row(row)) sum += w * w;
    energies.push_back(sum /
                       static_cast<double>(std::max<std::size_t>(1, product.matrix.columns())));
    energy += energies.back() / static_cast<double>(rows);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    double largest = 0;
    for (const double w : product.Row(row)) largest = std::max(largest, std::abs(w));
    const double share = energies[row] / std::max(energy, kTinyWeight);
    const double step = std::sqrt(energy * std::pow(share, options.evenness)) / options.fineness;
    steps.push_back(largest < kTinyWeight ? 0 : std::max(step, largest / kMost));
  }
  return steps;
}

// The largest scale is 128 to 255 units.
int ExponentOf(const std::vector<double>& scales) {
  const double largest = *std::max_element(scales.begin(), scales.end());
  if (largest < kTinyWeight) return 0;
  int exponent = 0;
  std::frexp(largest / (kMostMultiple + 0.5), &exponent);
  return exponent;
}

std::uint8_t MultipleOf(double scale, int exponent) {
  const double units = std::nearbyint(std::ldexp(scale, -exponent));
  return static_cast<std::uint8_t>(std::clamp<double>(units, 1, kMostMultiple));
}

double CodeRow(const CodedProduct& product, std::size_t row, const CodeOptions& options,
               CodedWeights& result) {
  const RowRounding& rounding = product.RoundingOf(row);
  const std::span<const double> wanted = product.Row(row);
  const double scale = result.Scale(row);
  std::vector<double> w(wanted.begin(), wanted.end());
  double error = 0;
  for (std::size_t k = 0; k < w.size(); ++k) {
    const double q = std::clamp(std::nearbyint(w[k] / scale), -kMost, kMost);
    result.integers[row * w.size() + k] = static_cast<std::int8_t>(q);
    const double away = wanted[k] - q * scale;
    error += rounding.importance()[k] * away * away;
    if (options.make_up) rounding.MakeUp(w, k, w[k] - q * scale);
  }
  return error;
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

// The bias on integers of 8 bits where their error is small beside that of the sums, else of 16.
Result<ValueId> AddBias(Graph& graph, Scalars& scalars, const CodedWeights& weights) {
  constexpr double kSmallShare = 0.01, kMost8 = 127, kMost16 = 32767;
  double largest = kTinyWeight;
  for (const double b : *weights.bias) largest = std::max(largest, std::abs(b));
  const auto exponent_for = [largest](double most) {
    return static_cast<int>(std::ceil(std::log2(largest / most)));
  };
  const double step = std::ldexp(1.0, exponent_for(kMost8));
  const double error = weights.error / static_cast<double>(weights.bias->size());
  const bool narrow = step * step / 12 <= kSmallShare * error;
  const int exponent = exponent_for(narrow ? kMost8 : kMost16);
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
  const std::vector<double> scales = Steps(product, options);
  std::vector<double> errors(rows);
  if (rows > 0) result.exponent = ExponentOf(scales);
  for (const double scale : scales) result.multiples.push_back(MultipleOf(scale, result.exponent));
  pool.ParallelFor(static_cast<std::int64_t>(rows), 1, [&](std::int64_t from, std::int64_t to) {
    for (auto row = static_cast<std::size_t>(from); row < static_cast<std::size_t>(to); ++row)
      errors[row] = CodeRow(product, row, options, result);
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

Result<Graph> StoreCoded(const Graph& graph, const std::vector<const CodedProduct*>& products,
                         const std::vector<const CodedWeights*>& coded) {
  Graph result = graph.Clone();
  Scalars scalars(result);
  for (std::size_t i = 0; i < products.size(); ++i)
    ATH_RETURN_IF_ERROR(StoreOne(result, scalars, *products[i], *coded[i]));
  result.ReleaseUnusedConstants();
  return result;
}

}  // namespace athanor::quant
