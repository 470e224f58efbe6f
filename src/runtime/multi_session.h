// Device "MULTI:A,B,...": every run goes to the device that has the fewest at hand, so that
// requests that come at once are answered side by side.
#pragma once

#include <mutex>

#include "runtime/device.h"

namespace athanor {

class MultiSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Create(Graph graph, std::string_view names,
                                                 const SessionOptions& options);
  const Graph& graph() const override { return members_.front().session->graph(); }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) override;
  // Those of the first device.
  Result<std::shared_ptr<const Plan>> PlanFor(const std::vector<Type>& inputs) override;
  Result<Profile> RunProfiled(std::vector<Datum> inputs) override;
  std::vector<Part> Parts() const override;
  int Streams() const override;

 private:
  struct Member {
    std::unique_ptr<Session> session;
    Part part = {};
    int running = 0;
  };
  class Turn;

  explicit MultiSession(std::vector<Member> members) : members_(std::move(members)) {}

  mutable std::mutex mutex_;  // guards what members have done
  std::vector<Member> members_;
};

}  // namespace athanor
