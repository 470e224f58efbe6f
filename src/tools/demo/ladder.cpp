#include <algorithm>

#include "tools/demo/demo.h"

namespace athanor::tools::demo {

Result<Rung> AddReferenceRung(State& state, const Graph& graph, std::string name,
                              std::string what) {
  ATH_TRY(const auto session, Session::Create(graph.Clone(), {.device = "reference"}));
  ATH_TRY(const Scores scores, ScoreAll(*session, state.held_out));
  if (state.expected.empty()) state.expected = scores.logits;
  ATH_TRY(const std::vector<Times> times,
          TimeInTurn({session.get()}, state.held_out, state.seconds));
  state.ladder.push_back({std::move(name), std::move(what), times[0].median(), scores.accuracy,
                          MaxDifference(scores.logits, state.expected)});
  return state.ladder.back();
}

nlohmann::json ToJson(const Rung& rung) {
  return {{"milliseconds", rung.milliseconds},
          {"accuracy", rung.accuracy},
          {"max_difference", rung.max_difference}};
}

Drawing LadderChart(const std::vector<Rung>& ladder, double width) {
  std::vector<Bar> bars;
  const auto best = std::min_element(
      ladder.begin(), ladder.end(),
      [](const Rung& a, const Rung& b) { return a.milliseconds < b.milliseconds; });
  for (const Rung& rung : ladder) {
    const double times = ladder.front().milliseconds / rung.milliseconds;
    bars.push_back(
        {rung.name, rung.what, rung.milliseconds,
         fmt::format("{}  x {:.{}f}", HumanTime(rung.milliseconds), times, times < 10 ? 1 : 0),
         &rung == &*best ? "fire" : "gold"});
  }
  return BarChart(bars, {.width = width, .logarithmic = true});
}

}  // namespace athanor::tools::demo
