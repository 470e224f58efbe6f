#include "runtime/session.h"

namespace athanor {
namespace {

class ReferenceSession final : public Session {
 public:
  ReferenceSession(Graph graph, const SessionOptions& options)
      : graph_(std::move(graph)), options_{.observer = options.observer} {}
  const Graph& graph() const override { return graph_; }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs) override {
    return Evaluate(graph_, std::move(inputs), options_);
  }

 private:
  Graph graph_;
  EvaluateOptions options_;
};

}  // namespace

Result<std::unique_ptr<Session>> Session::Create(Graph graph, const SessionOptions& options) {
  if (options.device == "reference")
    return std::unique_ptr<Session>(new ReferenceSession(std::move(graph), options));
  return Error(ErrorCode::kUnknownName, "there is no device \"{}\"; reference is", options.device);
}

}  // namespace athanor
