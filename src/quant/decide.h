// Which products stay in float so that accuracy drops by no more than is allowed.
//
// All products are quantised first. If that costs too much they are ranked by what each alone does
// to the outputs, divided by the time that its integers save; how many of the first stay in float
// is found by doubling and bisection over that one order. So the number of evaluations grows with
// the logarithm of the products, and a larger drop never keeps more of them in float: at each step
// whatever satisfies the smaller drop satisfies the larger.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "quant/quantize.h"

namespace athanor::quant {

struct RankedProduct {
  NodeId node = kNoNode;
  std::string name;
  double error = 0;  // energy of the outputs' error when it alone is quantised, per energy
  double saved = 0;  // time that its integers save; the unit cancels out
};

// The order in which products return to float. `saved` is asked for each; see SavedWork.
Result<std::vector<RankedProduct>> RankProducts(const Graph& graph, const Calibration& calibration,
                                                const QuantizeOptions& options, std::size_t samples,
                                                const SampleSource& source,
                                                const std::function<double(NodeId)>& saved,
                                                const std::function<void()>& after_product);

// Puts first, in their order, those that together do at most `share` of all work; how many these
// are.
std::size_t PutCheapFirst(std::vector<RankedProduct>& ranked, double share);

// A model of the time that integers save, the same on every machine: the product's operations.
double SavedWork(const Graph& graph, NodeId node);

// The smallest k in [0, count] that passes, where k = 0 has failed already; nothing when none does.
// Asks at most 2 log2(count) + 2 times.
Result<std::optional<std::size_t>> SmallestPrefix(
    std::size_t count, const std::function<Result<bool>(std::size_t)>& passes);

// What a model gives on samples, to be compared with what others give on the same ones.
class Outputs {
 public:
  // `optimize`: see ObserveOptions.
  static Result<Outputs> Of(const Graph& graph, std::size_t samples, const SampleSource& source,
                            int threads, bool optimize = true);
  // With these values too, what outputs are joined from (see parts.h); of a quantised graph what
  // the bytes of such a value stand for (`pairs`, see QuantizeReport).
  static Result<Outputs> OfParts(const Graph& graph, const std::vector<ValueId>& parts,
                                 const std::map<ValueId, ValueId>& pairs, std::size_t samples,
                                 const SampleSource& source, int threads);
  // Energy of the difference over the energy of these outputs, over all samples and tensors of real
  // numbers; infinite where the other's are none.
  double ErrorOf(const Outputs& other) const;
  // The sum over the outputs of the same of each: one in large units hides no other.
  double ErrorOfEach(const Outputs& other) const;
  // The largest of these.
  double FarthestError(const Outputs& other) const;

 private:
  std::vector<double> Errors(const Outputs& other) const;

  std::vector<std::vector<Datum>> samples_;
};

// Of the float outputs, ErrorOf those of the quantised graph.
Result<double> OutputError(const Graph& graph, const Graph& quantized, std::size_t samples,
                           const SampleSource& source, int threads);

}  // namespace athanor::quant
