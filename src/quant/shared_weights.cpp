#include "quant/shared_weights.h"

#include <algorithm>
#include <tuple>

namespace athanor::quant {
namespace {

constexpr std::int64_t kFewestShared = 64;  // numbers that are worth sharing

ValueId SourceOf(const Graph& graph, const Candidate& c) {
  return graph.node(c.node).inputs[*c.weights];
}

bool IsSmallInteger(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kU8 || dtype == DType::kI4 || dtype == DType::kU4;
}

void AddTo(std::vector<std::vector<double>>& sums, const std::vector<std::vector<double>>& more) {
  for (std::size_t group = 0; group < sums.size(); ++group) {
    for (std::size_t i = 0; i < sums[group].size(); ++i) sums[group][i] += more[group][i];
  }
}

void Scale(std::vector<std::vector<double>>& sums, double by) {
  for (std::vector<double>& group : sums) {
    for (double& value : group) value *= by;
  }
}

bool AreAlike(const Gram& a, const Gram& b) {
  return a.size == b.size && a.groups.size() == b.groups.size();
}

}  // namespace

void PoolShared(const Graph& graph, const Candidates& candidates, std::map<NodeId, Gram>& grams) {
  std::map<std::pair<ValueId, std::int64_t>, std::vector<NodeId>> readers;
  for (const Candidate& c : candidates.nodes) {
    if (c.weights && grams.contains(c.node))
      readers[{SourceOf(graph, c), c.weight_axis}].push_back(c.node);
  }
  for (const auto& [weights, nodes] : readers) {
    Gram sum = grams.at(nodes[0]);
    std::vector<NodeId> alike = {nodes[0]};
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      const Gram& other = grams.at(nodes[i]);
      if (!AreAlike(sum, other)) continue;
      AddTo(sum.groups, other.groups);
      AddTo(sum.means, other.means);
      alike.push_back(nodes[i]);
    }
    if (alike.size() == 1) continue;
    Scale(sum.groups, 1 / static_cast<double>(alike.size()));
    Scale(sum.means, 1 / static_cast<double>(alike.size()));
    for (const NodeId node : alike) grams.at(node) = sum;
  }
}

std::vector<std::size_t> FirstReaders(const Graph& graph,
                                      const std::vector<CodedProduct>& products) {
  std::map<std::tuple<ValueId, std::int64_t, std::size_t>, std::size_t> first;
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const Candidate& c = products[i].candidate;
    const auto key = std::tuple(SourceOf(graph, c), c.weight_axis, products[i].matrix.groups());
    result.push_back(first.emplace(key, i).first->second);
  }
  return result;
}

void ShareIntegers(Graph& graph) {
  std::map<std::pair<DType, Dims>, std::vector<ValueId>> seen;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant == nullptr || graph.num_uses(id) == 0 || constant->count() < kFewestShared ||
        !IsSmallInteger(constant->dtype()))
      continue;
    std::vector<ValueId>& alike = seen[{constant->dtype(), constant->dims()}];
    const auto twin = std::ranges::find_if(
        alike, [&](ValueId other) { return graph.Constant(other)->SameAs(*constant); });
    if (twin == alike.end())
      alike.push_back(id);
    else
      graph.ReplaceUses(id, *twin);
  }
  graph.ReleaseUnusedConstants();
}

}  // namespace athanor::quant
