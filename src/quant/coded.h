// Products whose weights a file holds as integers on few levels, entropy coded. All that is small
// beside them is small too: scales are multiples of a power of two, biases have 8 or 16 bits.
#pragma once

#include "core/thread_pool.h"
#include "quant/gram.h"
#include "quant/rounding.h"
#include "quant/weights.h"

namespace athanor::quant {

// The weights of one product as rows, and what rounding them needs.
struct CodedProduct {
  Candidate candidate;
  WeightMatrix matrix;
  std::vector<double> rows = {};
  std::vector<RowRounding> rounding = {};       // per group of rows
  std::vector<std::vector<double>> means = {};  // of the inputs, per group
  std::vector<double> bias = {};                // that is corrected; else empty

  const RowRounding& RoundingOf(std::size_t row) const {
    return rounding[rounding.size() == 1 ? 0 : row / matrix.rows_per_group()];
  }
  std::span<const double> Row(std::size_t row) const {
    return std::span(rows).subspan(row * matrix.columns(), matrix.columns());
  }
};

// What a product's inputs are, for RowRounding: their second moments or, where a bias takes back
// whatever the mean of the outputs becomes, their covariances.
std::vector<double> Covariances(const std::vector<double>& gram, const std::vector<double>& mean);

// `biased`: biases will be corrected, so that errors of the means cost nothing.
Result<std::vector<CodedProduct>> ReadProducts(const Graph& graph, const Candidates& candidates,
                                               const std::map<NodeId, Gram>& grams, bool biased,
                                               double damping);

struct CodedWeights {
  std::vector<std::int8_t> integers;             // rows * columns
  std::vector<std::uint8_t> multiples;           // one per row, from 1
  int exponent = 0;                              // a row's scale is its multiple times 2^exponent
  double error = 0;                              // of the sums, were each column's error alone
  std::optional<std::vector<double>> bias = {};  // instead of the product's own

  float Scale(std::size_t row) const;
};

struct CodeOptions {
  // Steps of the scale in the root mean square of the weights: with an entropy code the step, not a
  // number of levels, is what decides noise and size.
  double fineness = 8;
  // A row's step grows with this power of its own root mean square. 0: all rows of a product have
  // one step, so one noise; 1: all have as many levels.
  double evenness = 0.5;
  bool make_up = false;  // later weights of a row make up for earlier ones
  // Steps half as wide, of which each integer may take every other one (core/trellis.h).
  bool trellis = false;
  // What a bit costs, in squares of the step times the mean cost of an error: weights become a
  // little less near, or 0, where that takes fewer bits.
  double thrift = 0;
};
CodedWeights Code(const CodedProduct& product, const CodeOptions& options, ThreadPool& pool);
// The bias with which the means of the outputs are what they were before rounding. Code does it;
// who changes integers or scales does it again.
void CorrectBias(const CodedProduct& product, CodedWeights& weights);

// What the integers take: their entropy, on a trellis if they lie on one (`row`: how long its paths
// are), and what learning it takes; or a byte each.
std::uint64_t CodedBytes(std::span<const std::int8_t> integers, std::size_t row = 0);

// The graph with the weights of some products on integers, and the biases they come with.
Result<Graph> StoreCoded(const Graph& graph, const std::vector<const CodedProduct*>& products,
                         const std::vector<const CodedWeights*>& coded);

}  // namespace athanor::quant
