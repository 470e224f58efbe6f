// Device "HETERO:A,B,...": one graph split over devices.
//
// Each node goes where it costs least, what it takes to hand values from one device to another
// counted in; a device that has no code of its own for a node gets it only when no other has. What
// lies on one device and hangs together is a session of that device, and a run goes through them
// one after the other.
#pragma once

#include <atomic>

#include "runtime/device.h"

namespace athanor {

class HeteroSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Create(Graph graph, std::string_view names,
                                                 const SessionOptions& options);
  const Graph& graph() const override { return graph_; }
  Result<std::vector<Datum>> Run(std::vector<Datum> inputs, const RunOptions& options) override;
  std::vector<Part> Parts() const override;
  int Streams() const override { return streams_; }

 private:
  // Nodes of one device, in the order of their values.
  struct Segment {
    std::unique_ptr<Session> session;
    std::vector<ValueId> inputs, outputs;  // of the whole graph
    std::vector<ValueId> last;             // that nobody needs behind it
  };

  HeteroSession(Graph graph, Graph split) : graph_(std::move(graph)), split_(std::move(split)) {}
  Status AddSegment(const Device& device, std::size_t index, const std::vector<NodeId>& nodes);
  void FindLastUses();

  Graph graph_;  // as given: what the caller sees
  Graph split_;  // after the passes; its values carry a run from segment to segment
  std::vector<Segment> segments_;
  std::vector<Part> parts_;  // `runs` stays 0
  std::atomic<std::int64_t> runs_ = 0;
  int streams_ = 1;
};

// The device of each node, by handle; the first of equals. Nodes that no device can run better have
// the last resort of the first. Exposed for its test.
Result<std::vector<std::size_t>> AssignDevices(const Graph& graph,
                                               const std::vector<Device>& devices);

}  // namespace athanor
