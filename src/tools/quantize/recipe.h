// Which way of choosing ranges and which corrections suit a model: some are tried.
#pragma once

#include "tools/quantize/choose.h"

namespace athanor::tools {

struct TriedRecipe {
  std::string method, correct;  // as --method and --correct would name them
  double sqnr = 0;              // of the outputs before they become probabilities
};

struct BestRecipe {
  Maker maker;
  std::string method, correct;
  std::vector<TriedRecipe> tried = {};  // all of them, in order
};

// Quantises with each recipe and keeps the one whose outputs are nearest to those of the float
// model, on other samples than those it was calibrated on. A method that was asked for stays. What
// is tried where nothing is asked for is among them.
Result<BestRecipe> TryRecipes(const Graph& plain, const Graph& original, SampleCache& samples,
                              std::size_t count, const QuantizeRequest& request,
                              const Common& common);

// As the request says. Where it leaves corrections open and outputs are far from the float model's,
// `spread` is tried, and `--method auto` with it where no method was asked for; the request names
// what brought them nearest.
Result<Maker> PrepareAsAsked(const Graph& plain, const Graph& original, SampleCache& samples,
                             std::size_t count, QuantizeRequest& request, const Common& common);

}  // namespace athanor::tools
