// The cheapest way to give every node one of two labels, when neighbours that differ cost
// something.
#pragma once

#include <cstddef>
#include <vector>

namespace athanor::plan {

// Costs must not be negative. Exact: a minimum cut separates the labels, found as a maximum flow by
// E. A. Dinic's algorithm (Soviet Math. Doklady 11, 1970).
class MinCut {
 public:
  static constexpr double kNever = 1e12;  // more than any sum of costs

  std::size_t AddNode();
  // What the node costs with label false or true.
  void AddOwnCost(std::size_t node, double if_false, double if_true);
  // What it costs when `a` is false and `b` is true.
  void AddPairCost(std::size_t a, std::size_t b, double cost);
  // The labels of all nodes. Among equally cheap ones as many as possible are false.
  std::vector<bool> Solve();

 private:
  struct Edge {
    std::size_t to = 0;
    double left = 0;  // capacity not used yet
  };

  void Connect(std::size_t from, std::size_t to, double capacity);
  bool FindLevels();
  double Push(std::size_t node, double most);

  // Edge e and e ^ 1 are each other's way back.
  std::vector<Edge> edges_;
  std::vector<std::vector<std::size_t>> leaving_ = {{}, {}};  // of the source, the sink, all nodes
  std::vector<int> level_;
  std::vector<std::size_t> next_;
};

}  // namespace athanor::plan
