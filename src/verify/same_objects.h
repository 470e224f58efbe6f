// Detectors give their objects by falling scores: two engines whose scores differ in the last bit
// put tied objects in different orders. Whether two answers hold the same objects.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"
#include "verify/compare.h"

namespace athanor {

// Whether the graph, or a body in it, chooses among boxes.
bool ChoosesBoxes(const Graph& graph);

struct SameObjects {
  std::vector<Datum> actual;  // the rows in the order of `expected`
  std::size_t exchanged = 0;  // how many stood elsewhere
};

// All outputs are tensors with one row per object, and each row of `actual` is, in all of them at
// once, near a row of `expected` of its own. Those that stand elsewhere must be tied: in one column
// of floating-point numbers their place and the one they took have the same. Nothing where that is
// not so.
std::optional<SameObjects> MatchObjects(const std::vector<Datum>& actual,
                                        const std::vector<Datum>& expected,
                                        const Tolerance& tolerance);

}  // namespace athanor
