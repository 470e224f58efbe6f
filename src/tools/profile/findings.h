// What `athanor profile` measured; the table, the JSON document, the trace and the page are made of
// it.
#pragma once

#include <fmt/core.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "tools/floors.h"
#include "tools/memory_timeline.h"

namespace athanor::tools {

struct NodeTime {
  std::string name, op, kernel;
  double ms = 0;  // the fastest run
  std::int64_t calls = 0;
  double flops = 0, bytes = 0;
  std::size_t position = 0;  // in the order of execution, from 0: who has no name is called by it
  Floor floor = {};
  std::int64_t alive_bytes = 0;  // of the memory of a run, during the step

  std::string Label() const { return name.empty() ? fmt::format("#{}", position) : name; }
};

// Something to do, and what it would gain.
struct Advice {
  std::string kind;       // "tune", "threads", "int8", ...
  std::string text;       // what was found
  double gain_ms = 0;     // of one run
  bool measured = false;  // the other way was run here; else computed from what was measured
  std::string command;    // to do it; may be empty
};

struct ProfileFindings {
  std::string model, device;
  int threads = 1, runs = 0;
  std::vector<NodeTime> nodes;  // in the order of execution
  double total_ms = 0;          // the sum of them
  // Of a device that plans; on others nothing is known of bytes and memory.
  std::shared_ptr<const Plan> plan;
  std::vector<std::vector<double>> run_ms;  // of each run, of each node
  std::optional<MachinePeaks> peaks;
  MemoryTimeline memory;
  std::vector<Advice> advice;  // what gains most first

  double floor_ms() const {
    double sum = 0;
    for (const NodeTime& node : nodes) sum += node.floor.ms();
    return sum;
  }
};

}  // namespace athanor::tools
