#include "tools/profile/page.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "core/text.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/profile/text.h"
#include "tools/report/charts.h"

namespace athanor::tools {
namespace {

constexpr std::size_t kMostBars = 24;  // the table has all

// One colour for what bounds a step.
const char* ColourOf(Bound bound) {
  return bound == Bound::kCompute    ? "gold"
         : bound == Bound::kMemory   ? "steel"
         : bound == Bound::kOverhead ? "fire"
                                     : "pale";
}

std::vector<const NodeTime*> SlowestFirst(const ProfileFindings& findings) {
  std::vector<const NodeTime*> nodes;
  for (const NodeTime& node : findings.nodes) nodes.push_back(&node);
  std::stable_sort(nodes.begin(), nodes.end(),
                   [](const NodeTime* a, const NodeTime* b) { return a->ms > b->ms; });
  return nodes;
}

std::string Share(double ms, double total) {
  return fmt::format("{:.1f} %", total > 0 ? 100 * ms / total : 0);
}

Drawing SlowestBars(const ProfileFindings& findings) {
  std::vector<Bar> bars;
  for (const NodeTime* node : SlowestFirst(findings)) {
    if (bars.size() == kMostBars) break;
    const std::string percent = PercentText(*node);
    bars.push_back({FitText(node->op, 150), FitText(node->Label(), 110, 11), node->ms,
                    fmt::format("{}, {}{}", HumanTime(node->ms), Share(node->ms, findings.total_ms),
                                percent.empty() ? "" : fmt::format(", {} of the floor", percent)),
                    ColourOf(node->floor.bound)});
  }
  return BarChart(bars, {.label_width = 270});
}

Drawing OperatorBars(const ProfileFindings& findings) {
  std::vector<Bar> bars;
  for (const auto& [op, sum] : ByOperator(findings)) {
    if (bars.size() == kMostBars) break;
    bars.push_back({FitText(op, 170), fmt::format("x {}", sum.count), sum.ms,
                    fmt::format("{}, {}", HumanTime(sum.ms), Share(sum.ms, findings.total_ms)),
                    "leaf"});
  }
  return BarChart(bars, {.label_width = 240});
}

Rows EveryNode(const ProfileFindings& findings) {
  Rows rows = {.title = fmt::format("every step: {}", findings.nodes.size()),
               .header = {">#", ">ms", ">share %", ">% of floor", "bound", ">GFLOP/s", ">GB/s",
                          ">alive bytes", "operator", "kernel", "node"},
               .rows = {},
               .sortable = true};
  for (const NodeTime& node : findings.nodes) {
    const auto percent = PercentOfFloor(node.floor, node.ms);
    rows.rows.push_back(
        {std::to_string(node.position + 1), fmt::format("{:.4f}", node.ms),
         fmt::format("{:.2f}", findings.total_ms > 0 ? 100 * node.ms / findings.total_ms : 0),
         percent ? fmt::format("{:.0f}", *percent) : "", std::string(Name(node.floor.bound)),
         node.flops > 0 && node.ms > 0 ? fmt::format("{:.2f}", node.flops / node.ms / 1e6) : "",
         node.bytes > 0 && node.ms > 0 ? fmt::format("{:.2f}", node.bytes / node.ms / 1e6) : "",
         std::to_string(node.alive_bytes), node.op, node.kernel, node.Label()});
  }
  return rows;
}

Drawing MemoryCurve(const MemoryTimeline& memory) {
  Series alive = {.name = "in use", .classes = "steel", .points = {}};
  Series arena = {.name = "taken", .classes = "gold thin", .points = {}};
  for (std::size_t i = 0; i < memory.alive.size(); ++i) {
    const double bytes = static_cast<double>(memory.alive[i]) / 1024, x = static_cast<double>(i);
    alive.points.emplace_back(x, bytes);
    alive.points.emplace_back(x + 1, bytes);
  }
  const double taken = static_cast<double>(memory.arena_bytes) / 1024;
  arena.points = {{0, taken}, {static_cast<double>(memory.alive.size()), taken}};
  return LineChart({alive, arena}, {.x = "step of the plan",
                                    .y = "KiB",
                                    .x_text = [](double step) { return fmt::format("{:g}", step); },
                                    .y_text = [](double kib) { return fmt::format("{:g}", kib); }});
}

Section TimeSection(const ProfileFindings& findings) {
  return {
      .id = "time",
      .title = "Where the time goes",
      .finding = fmt::format("{} a run in {} steps, the fastest of {} runs of each step.",
                             HumanTime(findings.total_ms), findings.nodes.size(), findings.runs),
      .figures = {{SlowestBars(findings),
                   "The slowest steps. Gold: bound by arithmetic; blue: by memory; red: by "
                   "being started; grey: not known. The floor is what the arithmetic or the "
                   "bytes take at the probed peaks, whichever is longer; algorithms that "
                   "multiply less (Winograd) may pass it."},
                  {OperatorBars(findings), "The same by operator."}},
      .tables = {EveryNode(findings)},
      .commands = {fmt::format("athanor profile {} --threads {}", ShellWord(findings.model),
                               findings.threads)}};
}

Section MemorySection(const ProfileFindings& findings) {
  const MemoryTimeline& memory = findings.memory;
  Rows peak = {.title = "what is in memory at the peak", .header = {"value", ">bytes"}, .rows = {}};
  for (const MemoryTimeline::Piece& piece : memory.at_peak)
    peak.rows.push_back({piece.name, std::to_string(piece.bytes)});
  Section section = {.id = "memory",
                     .title = "Memory of a run",
                     .finding = PeakText(findings),
                     .figures = {{MemoryCurve(memory), "Bytes in use at each step."}},
                     .tables = {std::move(peak)}};
  // Hundreds of steps would be lines.
  constexpr std::size_t kMostDrawn = 60;
  if (findings.nodes.size() <= kMostDrawn)
    section.figures.push_back({MemoryMap(*findings.plan, 720), "What lies where, and when."});
  return section;
}

Section AdviceSection(const ProfileFindings& findings) {
  Section section = {.id = "advice",
                     .title = "What to do",
                     .finding = findings.advice.empty()
                                    ? "Nothing that was tried or computed would gain a hundredth."
                                    : "What would gain most first. Every gain follows from figures "
                                      "of this page; \"ran\": the other way was run as well."};
  if (findings.advice.empty()) return section;
  std::vector<Bar> bars;
  Rows rows = {.title = "in words",
               .header = {"what", ">gain ms", ">gain %", "how known", "found", "command"},
               .rows = {},
               .open = true};
  for (const Advice& one : findings.advice) {
    bars.push_back({one.kind, "", one.gain_ms, GainText(one, findings.total_ms), "leaf"});
    rows.rows.push_back(
        {one.kind, fmt::format("{:.3f}", one.gain_ms),
         fmt::format("{:.1f}", findings.total_ms > 0 ? 100 * one.gain_ms / findings.total_ms : 0),
         one.measured ? "ran" : "computed", one.text, one.command});
    if (!one.command.empty()) section.commands.push_back(one.command);
  }
  section.figures = {{BarChart(bars, {.label_width = 130}), "Predicted gain of each by itself."}};
  section.tables = {std::move(rows)};
  return section;
}

std::vector<std::pair<std::string, std::string>> MachineRows(const ProfileFindings& findings) {
  const Machine machine = DescribeMachine();
  std::vector<std::pair<std::string, std::string>> rows = {
      {"processor", machine.cpu},
      {"cores", fmt::format("{}, {} used", machine.cores, findings.threads)},
      {"athanor", ATHANOR_VERSION}};
  if (!findings.peaks) return rows;
  const MachinePeaks& peaks = *findings.peaks;
  rows.emplace_back("peak f32", fmt::format("{:.1f} GFLOP/s: {}", peaks.f32.operations_per_s / 1e9,
                                            peaks.f32.how));
  if (peaks.int8)
    rows.emplace_back(
        "peak int8",
        fmt::format("{:.1f} GOP/s: {}", peaks.int8->operations_per_s / 1e9, peaks.int8->how));
  for (const MemoryLevel& level : peaks.levels)
    rows.emplace_back("read " + level.name,
                      fmt::format("{:.1f} GB/s: {}", level.bytes_per_s / 1e9, level.how));
  return rows;
}

}  // namespace

Page ProfilePage(const ProfileFindings& findings) {
  Page page = {.title = "Profile of " + findings.model,
               .verdict = SummaryText(findings),
               .tiles = {{HumanTime(findings.total_ms), "a run"}},
               .sections = {},
               .environment = MachineRows(findings)};
  if (findings.plan != nullptr) {
    page.tiles.emplace_back(Share(findings.floor_ms(), findings.total_ms),
                            "of the floor of this machine");
    page.tiles.emplace_back(HumanBytes(static_cast<double>(findings.memory.arena_bytes)),
                            "of memory for a run");
  }
  if (!findings.advice.empty())
    page.tiles.emplace_back(Share(findings.advice[0].gain_ms, findings.total_ms),
                            "to gain: " + findings.advice[0].kind);
  page.sections.push_back(TimeSection(findings));
  if (findings.plan != nullptr) page.sections.push_back(MemorySection(findings));
  page.sections.push_back(AdviceSection(findings));
  return page;
}

}  // namespace athanor::tools
