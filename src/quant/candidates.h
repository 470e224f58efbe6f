// Which nodes are worth computing on integers, and which of their inputs are
// what.
//
// Products (Conv, Gemm, MatMul) are quantised wherever their weights are
// constant: that is where the time and the bytes are. Followers (sums, pools,
// activations, operators that move data) are quantised where all they read is
// integers already, so that a chain stays on integers.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::quant {

struct Candidate {
  NodeId node = kNoNode;
  std::vector<std::size_t> activations = {};  // inputs that get a range from samples
  std::optional<std::size_t> weights = {};    // the constant input that becomes i8
  std::int64_t weight_axis = 0;               // output channels of the weights
  std::int64_t data_axis = 1;                 // input channels of the data
  std::optional<std::size_t> bias = {};       // the constant input that becomes i32
  // The value that is quantised: of the node, or of the activation that follows it.
  ValueId result = kNoValue;
  // Integers pass through unchanged: activations and result share one scale.
  bool shares_scale = false;
  // Of a product: the result stays real, so the product computes on real numbers with weights that
  // are stored as integers.
  bool real_result = false;

  // A product that stays in float: it reads and gives real numbers, its weights alone are stored as
  // integers.
  bool InFloat() const { return weights && activations.empty(); }
};

// A product that stays in float, and why.
// The node's name, else that of what it makes: files need not name nodes.
std::string NameOf(const Graph& graph, NodeId id);

struct Skipped {
  std::string node, op, reason;
  NodeId id = kNoNode;
};

struct Candidates {
  std::vector<Candidate> nodes = {};  // in order of execution
  std::vector<Skipped> skipped = {};
  std::size_t activations = 0;  // nodes that become part of the one before
};

// `in_float`: products that shall stay in float, which the result says of them. `store`: they are
// candidates all the same, so that their weights can be stored as integers; see InFloat. `apart`:
// what a product gives becomes bytes before a function of it does, which is not a clamp: for
// arithmetic that has integers only.
Result<Candidates> FindCandidates(const Graph& graph, const std::set<NodeId>& in_float = {},
                                  bool store = false, bool apart = false);

// What no product reads any more, an answer or on its way to one, stays real: 8 bits of scores and
// coordinates are coarse, and all of them together have one scale after a Concat. Followers there
// are no candidates then; products give real results, except those that would take long on real
// numbers.
void LeaveAnswersReal(const Graph& graph, Candidates& candidates);

// An error that names the product where weights are not finite.
Status CheckWeights(const Graph& graph);
// An error when somebody quantised it already.
Status CheckFloat(const Graph& graph);
// The same, or when there is nothing to quantise.
Status CheckQuantizable(const Graph& graph, const Candidates& candidates);

}  // namespace athanor::quant
