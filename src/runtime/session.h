// A model ready to run on a device.
//
// Device "reference" runs the operators' references: slow and right by definition. Device "cpu"
// runs planned kernels. A session is immutable; any number of threads may call Run at once.
#pragma once

#include <memory>
#include <string>

#include "ir/evaluate.h"

namespace athanor {

struct SessionOptions {
  std::string device = "cpu";
  int threads = 0;  // 0: one per core
  NodeObserver observer = {};
};

class Session {
 public:
  virtual ~Session() = default;
  // The graph outlives nothing: it is taken over.
  static Result<std::unique_ptr<Session>> Create(Graph graph, const SessionOptions& options);

  virtual const Graph& graph() const = 0;
  // One datum per graph input, in order. Checks names, types and shapes first.
  virtual Result<std::vector<Datum>> Run(std::vector<Datum> inputs) = 0;
};

}  // namespace athanor
