#include "plan/min_cut.h"

#include <algorithm>
#include <limits>

namespace athanor::plan {
namespace {

constexpr std::size_t kSource = 0, kSink = 1, kFirst = 2;
constexpr double kNothing = 1e-3;

}  // namespace

std::size_t MinCut::AddNode() {
  leaving_.emplace_back();
  return leaving_.size() - 1 - kFirst;
}

void MinCut::Connect(std::size_t from, std::size_t to, double capacity) {
  if (capacity <= 0) return;
  leaving_[from].push_back(edges_.size());
  edges_.push_back({to, capacity});
  leaving_[to].push_back(edges_.size());
  edges_.push_back({from, 0});
}

// False is the side of the source.
void MinCut::AddOwnCost(std::size_t node, double if_false, double if_true) {
  Connect(node + kFirst, kSink, if_false);
  Connect(kSource, node + kFirst, if_true);
}

void MinCut::AddPairCost(std::size_t a, std::size_t b, double cost) {
  Connect(a + kFirst, b + kFirst, cost);
}

bool MinCut::FindLevels() {
  level_.assign(leaving_.size(), -1);
  std::vector<std::size_t> reached = {kSource};
  level_[kSource] = 0;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    for (const std::size_t e : leaving_[reached[i]]) {
      const Edge& edge = edges_[e];
      if (edge.left <= kNothing || level_[edge.to] >= 0) continue;
      level_[edge.to] = level_[reached[i]] + 1;
      reached.push_back(edge.to);
    }
  }
  return level_[kSink] >= 0;
}

// Walks one path at a time without recursion: plans of thousands of layers are that deep.
double MinCut::Push(std::size_t node, double most) {
  std::vector<std::size_t> path;
  while (node != kSink) {
    std::size_t& next = next_[node];
    while (next < leaving_[node].size()) {
      const Edge& edge = edges_[leaving_[node][next]];
      if (edge.left > kNothing && level_[edge.to] == level_[node] + 1) break;
      ++next;
    }
    if (next < leaving_[node].size()) {
      path.push_back(leaving_[node][next]);
      node = edges_[path.back()].to;
      continue;
    }
    if (path.empty()) return 0;
    node = edges_[path.back() ^ 1].to;
    ++next_[node];
    path.pop_back();
  }
  for (const std::size_t e : path) most = std::min(most, edges_[e].left);
  for (const std::size_t e : path) {
    edges_[e].left -= most;
    edges_[e ^ 1].left += most;
  }
  return most;
}

std::vector<bool> MinCut::Solve() {
  while (FindLevels()) {
    next_.assign(leaving_.size(), 0);
    while (Push(kSource, std::numeric_limits<double>::infinity()) > 0) {
    }
  }
  // Nodes that the source still reaches are false, but so are those that do not reach the sink.
  std::vector<bool> reaches(leaving_.size(), false);
  std::vector<std::size_t> found = {kSink};
  reaches[kSink] = true;
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const std::size_t e : leaving_[found[i]]) {
      const std::size_t from = edges_[e].to;
      if (edges_[e ^ 1].left <= kNothing || reaches[from]) continue;
      reaches[from] = true;
      found.push_back(from);
    }
  }
  return {reaches.begin() + kFirst, reaches.end()};
}

}  // namespace athanor::plan
