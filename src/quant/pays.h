// Which products are faster on integers on this machine, and which rather stay in float.
//
// A product by itself may be slower on integers and yet worth them, because its neighbours are on
// integers: every border between the two costs a pass over a value. So it is decided for all
// products at once: the labelling with the least total time is a minimum cut (plan/min_cut.h).
#pragma once

#include <vector>

#include "runtime/session.h"

namespace athanor::quant {

// Nanoseconds of a product and of what follows it up to the next product, with everything that its
// integers make necessary.
struct ProductTimes {
  double real = 0, integers = 0;
  double conversions = 0;  // of `integers`: from and to real numbers
  // What is known of it: products that kernels compute as something else are not found in a plan.
  bool known = false;
  bool on_integers = false;  // as it stands in the quantised graph
};

// A value that products make and others read.
struct ProductBorder {
  std::vector<std::size_t> made_by, read_by;
  double to_integers = 0, to_real = 0;  // ns of a conversion
};

// What the decision is made from.
struct TimedProducts {
  std::vector<ProductTimes> products = {};
  std::vector<double> own = {};  // `integers` without conversions from and to other products
  std::vector<ProductBorder> borders = {};
  double real = 0, integers = 0;  // ns of one run of the whole network
};

// Of those on integers the ones that return to float for the least time of all together; those in
// float stay there. Nobody returns where nothing is won.
std::vector<bool> NotWorthIntegers(const TimedProducts& timed);

enum class TimedBy : std::uint8_t {
  kEstimate,     // the planner's cost model: the same from run to run, nothing is measured
  kMeasurement,  // the least times of some runs, in turn
};

// `products` are nodes of both graphs; the quantised one was made from the float one by
// InsertPairs.
Result<TimedProducts> TimeProducts(const Graph& real, const Graph& quantized,
                                   const std::vector<NodeId>& products,
                                   const std::vector<Datum>& inputs, int threads, TimedBy by);

// The least time of a run of each graph in milliseconds, in turn.
Result<std::vector<double>> LeastTimes(const std::vector<const Graph*>& graphs,
                                       const std::vector<Datum>& inputs, int threads);

}  // namespace athanor::quant
