// One node as the row that writes it into a foreign format sees it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace athanor {

class NodeView {
 public:
  // Both outlive this.
  NodeView(const Graph& graph, const Node& node) : graph(graph), node(node) {}

  const Graph& graph;
  const Node& node;

  bool Has(std::size_t i) const { return i < node.inputs.size() && node.inputs[i] != kNoValue; }
  const Type& InType(std::size_t i = 0) const { return graph.value(node.inputs[i]).type; }
  const Type& OutType(std::size_t i = 0) const { return graph.value(node.outputs[i]).type; }
  const Tensor* Constant(std::size_t i) const {
    return Has(i) ? graph.Constant(node.inputs[i]) : nullptr;
  }
  bool IsBlob(std::size_t i) const { return Has(i) && Constant(i) == nullptr; }
  // Fails when the input is not a constant of f32; `what` names it.
  Result<Tensor> Weight(std::size_t i, std::string_view what) const;
  Result<std::vector<std::int64_t>> ConstantInts(std::size_t i, std::string_view what) const;
  // The constant's only value; `otherwise` when the input is omitted.
  Result<float> ConstantFloat(std::size_t i, float otherwise) const;
  // What a Slice whose steps are 1 takes of which axes: as many of each.
  struct Ranges {
    std::vector<std::int64_t> starts, ends, axes;
  };
  Result<Ranges> SliceRanges() const;
  template <class A>
  A Attribute(std::string_view name, A otherwise) const {
    const AttrValue* value = node.attributes.Find(name);
    return value == nullptr ? otherwise : std::get<A>(*value);
  }
};

// `node "conv1" (Conv)`; one without a name is known by its place: `node 3 of 20 (Conv)`, of
// `order`, in which nodes run.
std::string PlaceOf(const Graph& graph, const std::vector<NodeId>& order, std::size_t i);

}  // namespace athanor
