// Weights that several products read, a head on every level of a pyramid for example: rounded once
// for all of them, and once in the file.
#pragma once

#include <vector>

#include "quant/coded.h"

namespace athanor::quant {

// Each Gram matrix becomes the mean over the products that read the same weights, so that these are
// rounded to the same integers.
void PoolShared(const Graph& graph, const Candidates& candidates, std::map<NodeId, Gram>& grams);

// Of each product the first one that reads the same weights, in the same way; itself mostly.
std::vector<std::size_t> FirstReaders(const Graph& graph,
                                      const std::vector<CodedProduct>& products);

// Equal constants of small integers become one.
void ShareIntegers(Graph& graph);

}  // namespace athanor::quant
