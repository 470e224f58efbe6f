#include "tools/profile/text.h"

#include <algorithm>
#include <map>

#include "core/text.h"
#include "tools/console.h"
#include "tools/machine_json.h"
#include "tools/report/drawing.h"

namespace athanor::tools {
namespace {

// A reader who sees more than 100 % should know why.
std::string WinogradNote(const ProfileFindings& findings) {
  const bool passes =
      std::any_of(findings.nodes.begin(), findings.nodes.end(), [](const NodeTime& node) {
        return node.kernel.find("winograd") != std::string::npos && node.ms < node.floor.ms();
      });
  return passes ? "over 100 %: Winograd's convolutions multiply less than the definition, whose "
                  "arithmetic the floor counts\n"
                : "";
}

std::string NodeTable(const ProfileFindings& findings, std::size_t top) {
  std::vector<const NodeTime*> nodes;
  for (const NodeTime& node : findings.nodes) nodes.push_back(&node);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const NodeTime* a, const NodeTime* b) { return a->ms > b->ms; });
  nodes.resize(std::min(nodes.size(), top));
  Table table({">ms", ">share", ">of floor", "bound", ">GFLOP/s", "operator", "kernel", "node"});
  for (const NodeTime* node : nodes) {
    table.Add(
        {fmt::format("{:.3f}", node->ms),
         fmt::format("{:.1f} %", 100 * node->ms / std::max(findings.total_ms, 1e-9)),
         PercentText(*node), std::string(Name(node->floor.bound)),
         node->flops > 0 && node->ms > 0 ? fmt::format("{:.2f}", node->flops / node->ms / 1e6) : "",
         Shorten(node->op, 40), node->kernel, Shorten(node->Label(), 40)});
  }
  return table.ToString() + WinogradNote(findings);
}

std::string OperatorTable(const ProfileFindings& findings) {
  Table table({">ms", ">share", ">of floor", ">nodes", "operator"});
  for (const auto& [op, sum] : ByOperator(findings)) {
    table.Add(
        {fmt::format("{:.3f}", sum.ms),
         fmt::format("{:.1f} %", 100 * sum.ms / std::max(findings.total_ms, 1e-9)),
         sum.floor_ms > 0 && sum.ms > 0 ? fmt::format("{:.0f} %", 100 * sum.floor_ms / sum.ms) : "",
         std::to_string(sum.count), op});
  }
  return table.ToString();
}

std::string PeaksText(const MachinePeaks& peaks) {
  std::vector<std::string> reads;
  for (const MemoryLevel& level : peaks.levels)
    reads.push_back(fmt::format("{} {:.1f}", level.name, level.bytes_per_s / 1e9));
  std::string text =
      fmt::format("floor        {:.1f} GFLOP/s f32", peaks.f32.operations_per_s / 1e9);
  if (peaks.int8) text += fmt::format(", {:.1f} GOP/s int8", peaks.int8->operations_per_s / 1e9);
  return text + fmt::format("; reads of {} GB/s; {} thread{}\n", Join(reads, ", "), peaks.threads,
                            peaks.threads == 1 ? "" : "s");
}

std::string AdviceText(const ProfileFindings& findings) {
  if (findings.advice.empty())
    return "advice       none: nothing that was tried or computed would gain a hundredth\n";
  std::string text = "advice, what would gain most first\n";
  for (std::size_t i = 0; i < findings.advice.size(); ++i) {
    const Advice& one = findings.advice[i];
    text += fmt::format("{:>2}. {}: {}\n    gain {}{}\n", i + 1, one.kind, one.text,
                        GainText(one, findings.total_ms), one.measured ? ", measured here" : "");
    if (!one.command.empty()) text += "    " + one.command + "\n";
  }
  return text;
}

nlohmann::json NodeJson(const NodeTime& node, double total_ms) {
  nlohmann::json json = {{"name", node.name},
                         {"position", node.position},
                         {"op", node.op},
                         {"kernel", node.kernel},
                         {"ms", node.ms},
                         {"share", total_ms > 0 ? node.ms / total_ms : 0},
                         {"flops", node.flops},
                         {"bytes", node.bytes},
                         {"gflops_per_s", node.ms > 0 ? node.flops / node.ms / 1e6 : 0},
                         {"alive_bytes", node.alive_bytes}};
  json.update(FloorJson(node.floor, node.ms));
  return json;
}

nlohmann::json MemoryJson(const ProfileFindings& findings) {
  if (findings.plan == nullptr) return nullptr;
  const MemoryTimeline& memory = findings.memory;
  nlohmann::json at_peak = nlohmann::json::array();
  for (const MemoryTimeline::Piece& piece : memory.at_peak)
    at_peak.push_back({{"value", piece.name}, {"bytes", piece.bytes}});
  return {
      {"arena_bytes", memory.arena_bytes}, {"lower_bound_bytes", findings.plan->lower_bound_bytes},
      {"alive_bytes", memory.alive},       {"peak_bytes", memory.peak()},
      {"peak_position", memory.peak_step}, {"at_peak", std::move(at_peak)}};
}

}  // namespace

std::vector<std::pair<std::string, OperatorSum>> ByOperator(const ProfileFindings& findings) {
  std::map<std::string, OperatorSum> sums;
  for (const NodeTime& node : findings.nodes) {
    OperatorSum& sum = sums[node.op];
    ++sum.count;
    sum.ms += node.ms;
    sum.floor_ms += node.floor.ms();
  }
  std::vector<std::pair<std::string, OperatorSum>> ordered(sums.begin(), sums.end());
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.ms > b.second.ms; });
  return ordered;
}

std::string PercentText(const NodeTime& node) {
  const auto percent = PercentOfFloor(node.floor, node.ms);
  return percent ? fmt::format("{:.0f} %", *percent) : "";
}

std::string GainText(const Advice& advice, double total_ms) {
  return fmt::format("{:.3f} ms ({:.1f} %)", advice.gain_ms,
                     total_ms > 0 ? 100 * advice.gain_ms / total_ms : 0);
}

std::string SummaryText(const ProfileFindings& findings) {
  std::string text =
      fmt::format("{:.3f} ms in {} nodes, the fastest of {} runs on device {}", findings.total_ms,
                  findings.nodes.size(), findings.runs, findings.device);
  if (findings.plan != nullptr && findings.total_ms > 0)
    text += fmt::format("; {:.1f} % of the floor", 100 * findings.floor_ms() / findings.total_ms);
  return text;
}

std::string PeakText(const ProfileFindings& findings) {
  const MemoryTimeline& memory = findings.memory;
  if (memory.peak() == 0)
    return fmt::format("a run takes {}; no step holds more than the caller's tensors",
                       HumanBytes(static_cast<double>(memory.arena_bytes)));
  const NodeTime& node = findings.nodes[memory.peak_step];
  std::vector<std::string> pieces;
  for (const MemoryTimeline::Piece& piece : memory.at_peak) {
    if (pieces.size() == 3) break;
    pieces.push_back(fmt::format("{} {}", Shorten(piece.name, 32),
                                 HumanBytes(static_cast<double>(piece.bytes))));
  }
  return fmt::format("{} at most in use, at step {} ({} {}): {}; a run takes {}",
                     HumanBytes(static_cast<double>(memory.peak())), memory.peak_step + 1,
                     Shorten(node.op, 32), Shorten(node.Label(), 32), Join(pieces, ", "),
                     HumanBytes(static_cast<double>(memory.arena_bytes)));
}

std::string ProfileText(const ProfileFindings& findings, std::size_t top) {
  std::string text = NodeTable(findings, top) + "\n" + OperatorTable(findings) + "\n";
  if (findings.plan != nullptr) text += "memory       " + PeakText(findings) + "\n";
  if (findings.peaks) text += PeaksText(*findings.peaks);
  return text + AdviceText(findings) + SummaryText(findings) + "\n";
}

nlohmann::json AdviceJson(const ProfileFindings& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Advice& one : findings.advice) {
    list.push_back(
        {{"kind", one.kind},
         {"text", one.text},
         {"gain_ms", one.gain_ms},
         {"gain_percent", findings.total_ms > 0 ? 100 * one.gain_ms / findings.total_ms : 0},
         {"measured", one.measured},
         {"command", one.command}});
  }
  return list;
}

nlohmann::json ProfileJson(const ProfileFindings& findings) {
  std::vector<const NodeTime*> ordered;
  for (const NodeTime& node : findings.nodes) ordered.push_back(&node);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const NodeTime* a, const NodeTime* b) { return a->ms > b->ms; });
  nlohmann::json nodes = nlohmann::json::array();
  for (const NodeTime* node : ordered) nodes.push_back(NodeJson(*node, findings.total_ms));
  const bool planned = findings.plan != nullptr;
  return {{"model", findings.model},
          {"device", findings.device},
          {"threads", findings.threads},
          {"runs", findings.runs},
          {"total_ms", findings.total_ms},
          {"floor_ms", planned ? nlohmann::json(findings.floor_ms()) : nlohmann::json()},
          {"machine", findings.peaks ? PeaksJson(*findings.peaks) : nlohmann::json()},
          {"memory", MemoryJson(findings)},
          {"advice", AdviceJson(findings)},
          {"nodes", std::move(nodes)}};
}

}  // namespace athanor::tools
