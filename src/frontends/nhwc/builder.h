// Adds nodes to a graph for front ends whose files keep sizes, axes and weights as constants of the
// graph: what follows from constants alone is computed at once, by the operators' references.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor::nhwc {

using Ints = std::vector<std::int64_t>;

// No limit on the elements of a result that is computed at once.
inline constexpr std::int64_t kAnySize = std::numeric_limits<std::int64_t>::max();

class Builder {
 public:
  // Nodes carry `name`. The graph outlives the builder.
  Builder(Graph& graph, std::string name) : graph(graph), node_name_(std::move(name)) {}

  Graph& graph;

  const Type& TypeOf(ValueId value) const { return graph.value(value).type; }

  ValueId Constants(const Ints& values);  // i64[n]
  ValueId OneInt(std::int64_t value);     // i64 scalar
  ValueId Number(double value, DType dtype = DType::kF32);
  // A node with one output. Up to `max_folded` elements are computed at once where all inputs are
  // constants.
  Result<ValueId> Add(std::string_view op, Operands inputs, AttrMap attributes = {},
                      std::int64_t max_folded = 1 << 16);
  Result<std::vector<ValueId>> AddMany(std::string_view op, Operands inputs, AttrMap attributes,
                                       std::size_t count);
  Result<ValueId> CastTo(ValueId value, DType dtype);
  // The axes in another order; an empty one leaves them. Weights of any size stay constants.
  Result<ValueId> Permuted(ValueId value, const Ints& perm);

 private:
  Result<ValueId> Folded(NodeId id, std::int64_t max_elements);

  std::string node_name_;
};

}  // namespace athanor::nhwc
