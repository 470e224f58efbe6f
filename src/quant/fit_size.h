// Weights on steps as coarse as a size asks for, activations in float: for models that have to be
// small, not fast. The file entropy codes the integers, so that a product takes what they say and
// not what their type could hold; any step is worth trying, not powers of two alone.
//
// 1. For each product and each step: the size of its integers (their entropy) and how much noise
//    they put into its sums, from the moments of its inputs.
// 2. How much of that noise reaches the outputs: one run of the samples per product. Each output
//    counts by itself, and each part of one that is joined: boxes in pixels hide no scores.
// 3. The steps of all products together: an exact multiple-choice knapsack (Kellerer, Pferschy,
//    Pisinger, Knapsack Problems, 2004, chapter 11), least noise at the outputs for the size.
// 4. The weights, rounded along paths with what later ones make up for (RoundAlongPath), product
//    by product with what each reads then (Reconstruct), and trained together if asked for (Tune).
#pragma once

#include "quant/tune.h"

namespace athanor::quant {

struct FitSizeOptions {
  std::uint64_t bytes = 0;  // of the file
  std::size_t few = 8;      // samples of step 2
  double damping = 0.01;    // of RowRounding
  double evenness = 0.5;    // see CodeOptions
  double thrift = 0.06;     // the same
  bool make_up = true;      // later weights of a row make up for earlier ones
  bool refit = true;        // see ReconstructOptions
  bool bias = true;
  // Trains what was rounded on the samples; nothing: it is not trained.
  TeacherOf teacher_of = {};
  TuneOptions tune = {};
  int threads = 0;
  std::function<void()> after_product = {};  // in steps 2 and 4
  // What the file of a graph takes.
  std::function<Result<std::uint64_t>(const Graph&)> size_of = {};
};

struct FittedProduct {
  NodeId node = kNoNode;
  std::string name;
  int levels = 0;            // 1 to 255, always odd
  std::uint64_t bytes = 0;   // of the integers, coded; 0: they are another product's
  double noise = 0;          // energy of the error per energy, of each part of the outputs
  std::int64_t weights = 0;  // how many
};

struct FitSizeReport {
  std::vector<FittedProduct> products = {};  // in order of execution
  std::vector<Skipped> skipped = {};         // products whose weights stay floats
  std::uint64_t bytes = 0;                   // of the file
  std::optional<TuneReport> tuned = {};
};

// One way to store a product.
struct StoreForm {
  double noise = 0;
  std::uint64_t bytes = 0;
};
// Which choice of each item gives the least sum of noise within `bytes`, in steps of a
// 16384th of them (sizes are rounded up); nothing when even the smallest do not fit.
std::optional<std::vector<std::size_t>> ChooseStorage(
    const std::vector<std::vector<StoreForm>>& items, std::uint64_t bytes);

// Conv, Gemm and MatMul with constant weights read DequantizeLinear(i8), one scale per output
// channel. An error (kAccuracy) when the coarsest steps everywhere are still too large.
Result<Graph> FitSize(const Graph& graph, std::size_t count, const SampleSource& source,
                      const FitSizeOptions& options, FitSizeReport& report);

}  // namespace athanor::quant
