// Devices by name: "cpu", "cpu.0" and "cpu.2-5" (on these of its cores only), "reference".
// Names that stand for several of them are read in session.cpp.
#pragma once

#include "runtime/session.h"

namespace athanor {

class Device {
 public:
  // The options of the sessions on it are `options` with its name, and its cores if it has some.
  static Result<Device> Find(std::string_view name, const SessionOptions& options);
  // "A,B,...": two or more.
  static Result<std::vector<Device>> FindAll(std::string_view names, const SessionOptions& options);
  static std::vector<std::string> Names();

  const std::string& name() const { return options_.device; }
  Result<std::unique_ptr<Session>> Open(Graph graph) const;
  // What its kernels may round factors to.
  Precision precision() const;
  // Roughly what the node costs there in nanoseconds; nothing when the device has no code of its
  // own for it. The sizes of the graph's values are known as well as they can be.
  std::optional<double> CostNs(const Graph& graph, NodeId node) const;

 private:
  struct Kind;
  static const std::vector<Kind>& Kinds();

  Device(const Kind& kind, SessionOptions options) : kind_(&kind), options_(std::move(options)) {}
  const Kind* kind_;
  SessionOptions options_;
};

}  // namespace athanor
