// Device "reference": the operators' references, slow and right by definition.
#pragma once

#include "runtime/session.h"

namespace athanor {

class ReferenceSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Create(Graph graph, const SessionOptions& options);
  const Graph& graph() const override { return graph_; }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) override;

 private:
  ReferenceSession(Graph graph, Graph lowered, const SessionOptions& options)
      : graph_(std::move(graph)), lowered_(std::move(lowered)), observer_(options.observer) {}

  Graph graph_;    // as given: what the caller sees
  Graph lowered_;  // what runs
  NodeObserver observer_;
};

}  // namespace athanor
