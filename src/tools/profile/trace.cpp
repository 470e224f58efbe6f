#include "tools/profile/trace.h"

#include <fmt/core.h>

namespace athanor::tools {
namespace {

constexpr int kProcess = 1;
constexpr std::size_t kMostRuns = 8;  // a reader looks at a few

nlohmann::json NameEvent(const char* what, int thread, const std::string& name) {
  return {
      {"ph", "M"}, {"name", what}, {"pid", kProcess}, {"tid", thread}, {"args", {{"name", name}}}};
}

nlohmann::json StepEvent(const NodeTime& node, double start_us, double us, int thread) {
  nlohmann::json arguments = {{"node", node.Label()},  {"step", node.position},
                              {"kernel", node.kernel}, {"flops", node.flops},
                              {"bytes", node.bytes},   {"alive_bytes", node.alive_bytes}};
  arguments.update(FloorJson(node.floor, us / 1e3));
  return {{"ph", "X"},
          {"name", node.op},
          {"cat", std::string(Name(node.floor.bound))},
          {"pid", kProcess},
          {"tid", thread},
          {"ts", start_us},
          {"dur", us},
          {"args", std::move(arguments)}};
}

}  // namespace

nlohmann::json TraceOf(const ProfileFindings& findings) {
  nlohmann::json events = nlohmann::json::array();
  events.push_back(NameEvent("process_name", 0, "athanor profile " + findings.model));
  const auto add = [&](int thread, const std::string& name, const std::vector<double>& ms) {
    events.push_back(NameEvent("thread_name", thread, name));
    double now = 0;
    for (std::size_t i = 0; i < ms.size(); ++i) {
      events.push_back(StepEvent(findings.nodes[i], now, 1e3 * ms[i], thread));
      if (thread == 0 && findings.plan != nullptr) {
        events.push_back({{"ph", "C"},
                          {"name", "memory of a run"},
                          {"pid", kProcess},
                          {"ts", now},
                          {"args", {{"bytes", findings.nodes[i].alive_bytes}}}});
      }
      now += 1e3 * ms[i];
    }
  };
  std::vector<double> fastest;
  for (const NodeTime& node : findings.nodes) fastest.push_back(node.ms);
  add(0, fmt::format("the fastest of {} runs of each step", findings.runs), fastest);
  for (std::size_t run = 0; run < std::min(kMostRuns, findings.run_ms.size()); ++run)
    add(static_cast<int>(run) + 1, fmt::format("run {}", run + 1), findings.run_ms[run]);
  return {{"traceEvents", std::move(events)},
          {"displayTimeUnit", "ns"},
          {"otherData",
           {{"model", findings.model},
            {"device", findings.device},
            {"threads", findings.threads},
            {"athanor", ATHANOR_VERSION}}}};
}

}  // namespace athanor::tools
