// The portable passes: a plainer graph that computes the same.
#include <map>

#include "passes/pipeline.h"
#include "tools/demo/demo.h"
#include "tools/graph_figures.h"

namespace athanor::tools::demo {
namespace {

std::vector<std::string> OperatorsOf(const Graph& graph, const std::vector<NodeId>& order) {
  std::vector<std::string> ops;
  for (const NodeId id : order) ops.push_back(graph.node(id).op->name);
  return ops;
}

// Operators as small plates in rows; the first so many of each kind as `gone` says are drawn as
// gone.
Drawing Plates(const std::vector<std::string>& ops, std::map<std::string, std::int64_t> gone,
               std::string_view title) {
  constexpr double kWide = 90, kTall = 22, kRow = 28;
  Drawing drawing = {720, 26, Text(0, 14, title, "strong"), std::string(title)};
  double x = 0, y = 26;
  for (const std::string& op : ops) {
    const bool is_gone = gone[op]-- > 0;
    if (x + kWide > drawing.width) x = 0, y += kRow;
    const char* const colour = op == "Conv" || op == "Gemm" ? "gold" : "pale";
    drawing.body += Rectangle(x, y, kWide - 4, kTall, is_gone ? "gone" : colour, 5);
    drawing.body += Text(x + (kWide - 4) / 2, y + 15, FitText(op, kWide - 8, 11),
                         is_gone ? "small soft middle" : "small middle");
    x += kWide;
  }
  drawing.height = y + kRow;
  return drawing;
}

Result<Drawing> BeforeAndAfter(const Graph& before, const Graph& after) {
  ATH_TRY(const std::vector<NodeId> old_order, before.Order());
  ATH_TRY(const std::vector<NodeId> new_order, after.Order());
  const std::vector<std::string> was = OperatorsOf(before, old_order),
                                 is = OperatorsOf(after, new_order);
  std::map<std::string, std::int64_t> gone;
  for (const std::string& op : was) ++gone[op];
  for (const std::string& op : is) --gone[op];
  const Drawing top = Plates(was, gone, fmt::format("as written: {} nodes", was.size()));
  const Drawing bottom = Plates(is, {}, fmt::format("what runs: {} nodes", is.size()));
  return Drawing{720, top.height + 10 + bottom.height, top.body + Place(bottom, 0, top.height + 10),
                 "nodes before and after the passes"};
}

// What the passes alone change in time; `flops` is the share of the arithmetic that stays.
std::string InPlainLoops(const Rung& now, const Rung& before, double flops) {
  const double ratio = now.milliseconds / before.milliseconds;
  std::string text = fmt::format("In plain loops that takes {} a picture instead of {}",
                                 HumanTime(now.milliseconds), HumanTime(before.milliseconds));
  if (ratio < 0.95) return text + ".";
  return text + fmt::format(
                    ": {:.1f} % of the arithmetic stays, so the gain is that of the "
                    "kernels, which have fewer steps to run.",
                    100 * flops);
}

}  // namespace

Result<Outcome> Passes(State& state) {
  Graph plain = state.raw->Clone();
  ATH_TRY(const passes::PassReport report, passes::Optimize(plain));
  state.plain = std::move(plain);
  ATH_TRY(const Rung rung, AddReferenceRung(state, *state.plain, "graph passes",
                                            fmt::format("{} nodes become {}", report.nodes_before,
                                                        report.nodes_after)));
  ATH_TRY(const GraphFigures before, Measure(*state.raw));
  ATH_TRY(const GraphFigures after, Measure(*state.plain));
  const double flops = before.flops > 0 ? after.flops / before.flops : 1;
  ATH_TRY(Drawing plates, BeforeAndAfter(*state.raw, *state.plain));
  Rows fired = {"the rules that fired", {"pass", "rule", ">times"}, {}};
  for (const passes::PassRun& run : report.runs) {
    for (const auto& [rule, times] : run.fired)
      fired.rows.push_back({run.pass, rule, std::to_string(times)});
  }
  Outcome outcome;
  outcome.what =
      fmt::format("{} nodes -> {}, {} a picture, largest difference {:.0e}", report.nodes_before,
                  report.nodes_after, HumanTime(rung.milliseconds), rung.max_difference);
  outcome.section = {
      .id = "passes",
      .title = "A plainer graph",
      .finding = fmt::format(
          "Mathematics first, the same on every machine: {} nodes become {}, and the scores move "
          "by at most {:.0e}. {}",
          report.nodes_before, report.nodes_after, rung.max_difference,
          InPlainLoops(rung, state.ladder.front(), flops)),
      .figures = {{std::move(plates),
                   "Dashed: nodes that are gone, because the weights in front of them absorbed "
                   "their arithmetic."}},
      .tables = {std::move(fired)},
      .commands = {"athanor optimize " + state.File("digits.onnx") + " -o digits.plain.ath"}};
  outcome.figures = ToJson(rung);
  outcome.figures["nodes_before"] = report.nodes_before;
  outcome.figures["nodes_after"] = report.nodes_after;
  return outcome;
}

}  // namespace athanor::tools::demo
