#include "runtime/multi_session.h"

#include <algorithm>

#include "runtime/bound_cores.h"
#include "runtime/shared_weights.h"

namespace athanor {

// One run on the device that has the fewest for each of its streams; the first of equals.
class MultiSession::Turn {
 public:
  explicit Turn(MultiSession& all) : all_(all) {
    const std::scoped_lock lock(all_.mutex_);
    member_ = &*std::min_element(
        all_.members_.begin(), all_.members_.end(), [](const Member& a, const Member& b) {
          return a.running * b.session->Streams() < b.running * a.session->Streams();
        });
    ++member_->running;
    ++member_->part.runs;
  }
  ~Turn() {
    const std::scoped_lock lock(all_.mutex_);
    --member_->running;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  Session& session() const { return *member_->session; }

 private:
  MultiSession& all_;
  Member* member_ = nullptr;
};

Result<std::unique_ptr<Session>> MultiSession::Create(Graph graph, std::string_view names,
                                                      const SessionOptions& options) {
  SessionOptions of_members = options;
  if (MemoryNodes() > 1) {
    of_members.shared = {};  // each has its weights near its cores
  } else if (of_members.shared == nullptr) {
    of_members.shared = std::make_shared<SharedWeights>();
  }
  ATH_TRY(const std::vector<Device> devices, Device::FindAll(names, of_members));
  std::vector<Member> members;
  for (const Device& device : devices) {
    Member member = {.session = {},
                     .part = {device.name(), static_cast<std::int64_t>(graph.num_nodes()), 0}};
    ATH_TRY(member.session, device.Open(graph.Clone()));
    members.push_back(std::move(member));
  }
  return std::unique_ptr<Session>(new MultiSession(std::move(members)));
}

Result<std::vector<Datum>> MultiSession::Run(std::vector<Datum> inputs, const RunOptions& options) {
  const Turn turn(*this);
  return turn.session().Run(std::move(inputs), options);
}

Result<std::shared_ptr<const Plan>> MultiSession::PlanFor(const std::vector<Type>& inputs) {
  return members_.front().session->PlanFor(inputs);
}

Result<Profile> MultiSession::RunProfiled(std::vector<Datum> inputs) {
  return members_.front().session->RunProfiled(std::move(inputs));
}

std::vector<Session::Part> MultiSession::Parts() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Part> parts;
  for (const Member& member : members_) parts.push_back(member.part);
  return parts;
}

int MultiSession::Streams() const {
  int streams = 0;
  for (const Member& member : members_) streams += member.session->Streams();
  return streams;
}

}  // namespace athanor
